CREATE TABLE `accounts` (
	`id` text PRIMARY KEY NOT NULL,
	`balance` integer DEFAULT 0 NOT NULL,
	`granted` integer DEFAULT 0 NOT NULL,
	CONSTRAINT "accounts_granted" CHECK("accounts"."granted" >= 0),
	CONSTRAINT "accounts_covered" CHECK("accounts"."balance" >= "accounts"."granted")
);
--> statement-breakpoint
CREATE TABLE `acknowledgements` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`model` text NOT NULL,
	`licence` text NOT NULL,
	`statements` text NOT NULL,
	`at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE INDEX `acknowledgements_user` ON `acknowledgements` (`user_id`,`model`);--> statement-breakpoint
CREATE TABLE `entries` (
	`posting` text NOT NULL,
	`line` integer NOT NULL,
	`account` text NOT NULL,
	`amount` integer NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`posting`, `line`),
	FOREIGN KEY (`posting`) REFERENCES `postings`(`key`) ON UPDATE no action ON DELETE restrict,
	CONSTRAINT "entries_nonzero" CHECK("entries"."amount" <> 0)
);
--> statement-breakpoint
CREATE INDEX `entries_account` ON `entries` (`account`,`at`,`posting`);--> statement-breakpoint
CREATE TABLE `grants` (
	`hub_id` text NOT NULL,
	`account` text NOT NULL,
	`amount` integer NOT NULL,
	PRIMARY KEY(`hub_id`, `account`),
	CONSTRAINT "grants_positive" CHECK("grants"."amount" >= 0)
);
--> statement-breakpoint
CREATE TABLE `host_tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`owner_id` text NOT NULL,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`hint` text NOT NULL,
	`created_at` integer NOT NULL,
	`revoked_at` integer,
	FOREIGN KEY (`owner_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE UNIQUE INDEX `host_tokens_hash_unique` ON `host_tokens` (`hash`);--> statement-breakpoint
CREATE INDEX `host_tokens_owner` ON `host_tokens` (`owner_id`);--> statement-breakpoint
CREATE TABLE `hosts` (
	`id` text PRIMARY KEY NOT NULL,
	`owner_id` text NOT NULL,
	`token_id` text NOT NULL,
	`machine` text NOT NULL,
	`name` text NOT NULL,
	`agent` text NOT NULL,
	`hardware` text NOT NULL,
	`simulated` integer NOT NULL,
	`created_at` integer NOT NULL,
	`seen_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `hosts_machine` ON `hosts` (`owner_id`,`machine`);--> statement-breakpoint
CREATE TABLE `hubs` (
	`id` text PRIMARY KEY NOT NULL,
	`self_url` text,
	`started_at` integer NOT NULL,
	`seen_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `keys` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`hint` text NOT NULL,
	`created_at` integer NOT NULL,
	`revoked_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE UNIQUE INDEX `keys_hash_unique` ON `keys` (`hash`);--> statement-breakpoint
CREATE INDEX `keys_user` ON `keys` (`user_id`,`created_at`);--> statement-breakpoint
CREATE TABLE `links` (
	`host_id` text NOT NULL,
	`hub_id` text NOT NULL,
	`epoch` integer NOT NULL,
	`state` text NOT NULL,
	`models` text NOT NULL,
	`since` integer NOT NULL,
	PRIMARY KEY(`host_id`, `hub_id`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `links_hub` ON `links` (`hub_id`);--> statement-breakpoint
CREATE TABLE `offers` (
	`variant` text PRIMARY KEY NOT NULL,
	`enabled` integer NOT NULL,
	`changed_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `postings` (
	`key` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`note` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `requests` (
	`id` text PRIMARY KEY NOT NULL,
	`hub_id` text NOT NULL,
	`user_id` text NOT NULL,
	`key_id` text NOT NULL,
	`variant` text NOT NULL,
	`state` text NOT NULL,
	`stream` integer NOT NULL,
	`at` integer NOT NULL,
	`ended_at` integer NOT NULL,
	`first_token_ms` integer,
	`prompt_tokens` integer NOT NULL,
	`completion_tokens` integer NOT NULL,
	`claimed_tokens` integer,
	`counts_differ` integer NOT NULL,
	`prompt_picos` integer NOT NULL,
	`completion_picos` integer NOT NULL,
	`cost` integer NOT NULL,
	`fee` integer NOT NULL,
	`host_share` integer NOT NULL,
	`host_id` text,
	`attempts` integer NOT NULL,
	`finish_reason` text,
	`error_code` text,
	`delivered` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `requests_user` ON `requests` (`user_id`,`at`);--> statement-breakpoint
CREATE INDEX `requests_host` ON `requests` (`host_id`,`at`);--> statement-breakpoint
CREATE INDEX `requests_undelivered` ON `requests` (`hub_id`) WHERE not "requests"."delivered";--> statement-breakpoint
CREATE INDEX `requests_at` ON `requests` (`at`);--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`roles` text NOT NULL,
	`created_at` integer NOT NULL,
	`suspended_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_email_unique` ON `users` (`email`);