CREATE TABLE `client_traffic` (
	`user_id` text NOT NULL,
	`span` text NOT NULL,
	`at` integer NOT NULL,
	`key_id` text NOT NULL,
	`variant` text NOT NULL,
	`completed` integer NOT NULL,
	`cancelled` integer NOT NULL,
	`failed` integer NOT NULL,
	`lost` integer NOT NULL,
	`moved` integer NOT NULL,
	`prompt_tokens` integer NOT NULL,
	`completion_tokens` integer NOT NULL,
	`cost` integer NOT NULL,
	`host_share` integer NOT NULL,
	`decode_ms` integer NOT NULL,
	`decoded_tokens` integer NOT NULL,
	PRIMARY KEY(`user_id`, `span`, `at`, `key_id`, `variant`)
);
--> statement-breakpoint
CREATE INDEX `client_traffic_at` ON `client_traffic` (`span`,`at`);--> statement-breakpoint
CREATE TABLE `host_traffic` (
	`host_id` text NOT NULL,
	`span` text NOT NULL,
	`at` integer NOT NULL,
	`variant` text NOT NULL,
	`completed` integer NOT NULL,
	`cancelled` integer NOT NULL,
	`failed` integer NOT NULL,
	`lost` integer NOT NULL,
	`moved` integer NOT NULL,
	`prompt_tokens` integer NOT NULL,
	`completion_tokens` integer NOT NULL,
	`cost` integer NOT NULL,
	`host_share` integer NOT NULL,
	`decode_ms` integer NOT NULL,
	`decoded_tokens` integer NOT NULL,
	PRIMARY KEY(`host_id`, `span`, `at`, `variant`)
);
--> statement-breakpoint
CREATE INDEX `host_traffic_at` ON `host_traffic` (`span`,`at`);--> statement-breakpoint
CREATE TABLE `traffic_until` (
	`span` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `requests_lost` ON `requests` (`ended_at`) WHERE "requests"."state" = 'lost';