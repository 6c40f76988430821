CREATE TABLE `alarms` (
	`id` text PRIMARY KEY NOT NULL,
	`text` text NOT NULL,
	`raised_at` integer NOT NULL,
	`cleared_at` integer,
	`next_at` integer,
	`tries` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX `alarms_next` ON `alarms` (`next_at`);