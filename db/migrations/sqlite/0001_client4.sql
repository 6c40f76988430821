CREATE TABLE `tenures` (
	`host_id` text NOT NULL,
	`at` integer NOT NULL,
	`team` integer NOT NULL,
	`rent` integer NOT NULL,
	PRIMARY KEY(`host_id`, `at`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `begun` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within50` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within100` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within150` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within200` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within300` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within400` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within500` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within750` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within1000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within1500` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within2000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within3000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within5000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within10000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `all_traffic` ADD `within30000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `begun` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within50` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within100` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within150` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within200` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within300` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within400` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within500` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within750` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within1000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within1500` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within2000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within3000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within5000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within10000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `client_traffic` ADD `within30000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `begun` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within50` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within100` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within150` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within200` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within300` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within400` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within500` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within750` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within1000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within1500` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within2000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within3000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within5000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within10000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `host_traffic` ADD `within30000` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `limits` ADD `models` text;--> statement-breakpoint
ALTER TABLE `mails` ADD `off` text;--> statement-breakpoint
ALTER TABLE `users` ADD `suspended_for` text;