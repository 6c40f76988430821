CREATE TABLE `failure_days` (
	`host_id` text NOT NULL,
	`day` integer NOT NULL,
	`class` text NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`host_id`, `day`, `class`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `failures` (
	`id` text PRIMARY KEY NOT NULL,
	`host_id` text NOT NULL,
	`variant` text NOT NULL,
	`class` text NOT NULL,
	`code` text NOT NULL,
	`message` text NOT NULL,
	`request_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`tokens` integer NOT NULL,
	`at` integer NOT NULL,
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `failures_host` ON `failures` (`host_id`,`at`);--> statement-breakpoint
CREATE TABLE `host_locks` (
	`host_id` text NOT NULL,
	`token_id` text NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`host_id`, `token_id`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `host_locks_at` ON `host_locks` (`at`);--> statement-breakpoint
CREATE TABLE `notices` (
	`id` text PRIMARY KEY NOT NULL,
	`host_id` text NOT NULL,
	`owner_id` text NOT NULL,
	`kind` text NOT NULL,
	`message` text NOT NULL,
	`token_id` text,
	`at` integer NOT NULL,
	`cleared_at` integer,
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `notices_host` ON `notices` (`host_id`,`at`);--> statement-breakpoint
CREATE INDEX `notices_owner` ON `notices` (`owner_id`,`at`);--> statement-breakpoint
ALTER TABLE `links` ADD `tripped` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `links` ADD `run` text;