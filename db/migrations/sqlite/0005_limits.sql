CREATE TABLE `limits` (
	`subject` text PRIMARY KEY NOT NULL,
	`requests_per_minute` integer,
	`tokens_per_minute` integer,
	`concurrency` integer,
	`budget` integer,
	`spent` integer DEFAULT 0 NOT NULL,
	`expires_at` integer
);
--> statement-breakpoint
CREATE TABLE `onces` (
	`id` text PRIMARY KEY NOT NULL,
	`request_id` text NOT NULL,
	`hub_id` text NOT NULL,
	`user_id` text NOT NULL,
	`key_id` text NOT NULL,
	`body` text NOT NULL,
	`stream` integer NOT NULL,
	`state` text NOT NULL,
	`answer` text,
	`at` integer NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `onces_request` ON `onces` (`request_id`);--> statement-breakpoint
CREATE INDEX `onces_expires` ON `onces` (`expires_at`);--> statement-breakpoint
CREATE INDEX `onces_running` ON `onces` (`hub_id`) WHERE "onces"."state" = 'running';