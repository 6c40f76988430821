CREATE TABLE `reports` (
	`id` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`about` text NOT NULL,
	`text` text NOT NULL,
	`contact` text NOT NULL,
	`state` text NOT NULL,
	`note` text DEFAULT '' NOT NULL,
	`changed_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `reports_state` ON `reports` (`state`,`id`);--> statement-breakpoint
ALTER TABLE `hosts` ADD `vetted_at` integer;--> statement-breakpoint
ALTER TABLE `hosts` ADD `quarantined_at` integer;--> statement-breakpoint
ALTER TABLE `hosts` ADD `quarantine_reason` text;--> statement-breakpoint
ALTER TABLE `hosts` ADD `note` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `hosts` ADD `judged_at` integer;--> statement-breakpoint
CREATE INDEX `hosts_judged` ON `hosts` (`judged_at`);--> statement-breakpoint
ALTER TABLE `offers` ADD `prompt_picos` integer;--> statement-breakpoint
ALTER TABLE `offers` ADD `completion_picos` integer;