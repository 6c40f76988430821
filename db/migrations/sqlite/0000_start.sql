CREATE TABLE `acceptances` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`role` text NOT NULL,
	`version` text NOT NULL,
	`at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE INDEX `acceptances_user` ON `acceptances` (`user_id`);--> statement-breakpoint
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
CREATE TABLE `acts` (
	`id` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`by` text,
	`what` text NOT NULL,
	`subject` text NOT NULL,
	`before` text,
	`after` text
);
--> statement-breakpoint
CREATE INDEX `acts_subject` ON `acts` (`subject`);--> statement-breakpoint
CREATE TABLE `alarms` (
	`id` text PRIMARY KEY NOT NULL,
	`text` text NOT NULL,
	`raised_at` integer NOT NULL,
	`cleared_at` integer,
	`next_at` integer,
	`tries` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX `alarms_next` ON `alarms` (`next_at`);--> statement-breakpoint
CREATE TABLE `all_traffic` (
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
	`begun` integer DEFAULT 0 NOT NULL,
	`within50` integer DEFAULT 0 NOT NULL,
	`within100` integer DEFAULT 0 NOT NULL,
	`within150` integer DEFAULT 0 NOT NULL,
	`within200` integer DEFAULT 0 NOT NULL,
	`within300` integer DEFAULT 0 NOT NULL,
	`within400` integer DEFAULT 0 NOT NULL,
	`within500` integer DEFAULT 0 NOT NULL,
	`within750` integer DEFAULT 0 NOT NULL,
	`within1000` integer DEFAULT 0 NOT NULL,
	`within1500` integer DEFAULT 0 NOT NULL,
	`within2000` integer DEFAULT 0 NOT NULL,
	`within3000` integer DEFAULT 0 NOT NULL,
	`within5000` integer DEFAULT 0 NOT NULL,
	`within10000` integer DEFAULT 0 NOT NULL,
	`within30000` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`span`, `at`, `variant`)
);
--> statement-breakpoint
CREATE TABLE `checks` (
	`host_id` text NOT NULL,
	`variant` text NOT NULL,
	`tries` integer NOT NULL,
	`passed` integer NOT NULL,
	`finding` text NOT NULL,
	`tokens_per_second` integer,
	`at` integer NOT NULL,
	PRIMARY KEY(`host_id`, `variant`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
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
	`begun` integer DEFAULT 0 NOT NULL,
	`within50` integer DEFAULT 0 NOT NULL,
	`within100` integer DEFAULT 0 NOT NULL,
	`within150` integer DEFAULT 0 NOT NULL,
	`within200` integer DEFAULT 0 NOT NULL,
	`within300` integer DEFAULT 0 NOT NULL,
	`within400` integer DEFAULT 0 NOT NULL,
	`within500` integer DEFAULT 0 NOT NULL,
	`within750` integer DEFAULT 0 NOT NULL,
	`within1000` integer DEFAULT 0 NOT NULL,
	`within1500` integer DEFAULT 0 NOT NULL,
	`within2000` integer DEFAULT 0 NOT NULL,
	`within3000` integer DEFAULT 0 NOT NULL,
	`within5000` integer DEFAULT 0 NOT NULL,
	`within10000` integer DEFAULT 0 NOT NULL,
	`within30000` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`user_id`, `span`, `at`, `key_id`, `variant`)
);
--> statement-breakpoint
CREATE INDEX `client_traffic_at` ON `client_traffic` (`span`,`at`);--> statement-breakpoint
CREATE TABLE `device_sign_ins` (
	`id` text PRIMARY KEY NOT NULL,
	`hash` text NOT NULL,
	`code` text NOT NULL,
	`machine_key` text NOT NULL,
	`name` text NOT NULL,
	`gpu` text NOT NULL,
	`agent` text NOT NULL,
	`time_zone` text,
	`country` text,
	`address` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`polled_at` integer,
	`interval_seconds` integer NOT NULL,
	`claimed_by` text,
	`decision` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `device_sign_ins_hash_unique` ON `device_sign_ins` (`hash`);--> statement-breakpoint
CREATE UNIQUE INDEX `device_sign_ins_code_unique` ON `device_sign_ins` (`code`);--> statement-breakpoint
CREATE INDEX `device_sign_ins_expiry` ON `device_sign_ins` (`expires_at`);--> statement-breakpoint
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
CREATE TABLE `gifts` (
	`key` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`amount` integer NOT NULL,
	`note` text NOT NULL,
	`created_at` integer NOT NULL,
	`posted_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE INDEX `gifts_user` ON `gifts` (`user_id`);--> statement-breakpoint
CREATE TABLE `grants` (
	`hub_id` text NOT NULL,
	`account` text NOT NULL,
	`amount` integer NOT NULL,
	PRIMARY KEY(`hub_id`, `account`),
	CONSTRAINT "grants_positive" CHECK("grants"."amount" >= 0)
);
--> statement-breakpoint
CREATE TABLE `host_locks` (
	`host_id` text NOT NULL,
	`token_id` text NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`host_id`, `token_id`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `host_locks_at` ON `host_locks` (`at`);--> statement-breakpoint
CREATE TABLE `host_tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`owner_id` text NOT NULL,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`hint` text NOT NULL,
	`machine_key` text,
	`created_at` integer NOT NULL,
	`revoked_at` integer,
	FOREIGN KEY (`owner_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE UNIQUE INDEX `host_tokens_hash_unique` ON `host_tokens` (`hash`);--> statement-breakpoint
CREATE INDEX `host_tokens_owner` ON `host_tokens` (`owner_id`);--> statement-breakpoint
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
	`begun` integer DEFAULT 0 NOT NULL,
	`within50` integer DEFAULT 0 NOT NULL,
	`within100` integer DEFAULT 0 NOT NULL,
	`within150` integer DEFAULT 0 NOT NULL,
	`within200` integer DEFAULT 0 NOT NULL,
	`within300` integer DEFAULT 0 NOT NULL,
	`within400` integer DEFAULT 0 NOT NULL,
	`within500` integer DEFAULT 0 NOT NULL,
	`within750` integer DEFAULT 0 NOT NULL,
	`within1000` integer DEFAULT 0 NOT NULL,
	`within1500` integer DEFAULT 0 NOT NULL,
	`within2000` integer DEFAULT 0 NOT NULL,
	`within3000` integer DEFAULT 0 NOT NULL,
	`within5000` integer DEFAULT 0 NOT NULL,
	`within10000` integer DEFAULT 0 NOT NULL,
	`within30000` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`host_id`, `span`, `at`, `variant`)
);
--> statement-breakpoint
CREATE INDEX `host_traffic_at` ON `host_traffic` (`span`,`at`);--> statement-breakpoint
CREATE TABLE `hosts` (
	`id` text PRIMARY KEY NOT NULL,
	`owner_id` text NOT NULL,
	`token_id` text NOT NULL,
	`machine` text NOT NULL,
	`name` text NOT NULL,
	`agent` text NOT NULL,
	`hardware` text NOT NULL,
	`cards` text DEFAULT '' NOT NULL,
	`simulated` integer NOT NULL,
	`checked_at` integer,
	`vetted_at` integer,
	`quarantined_at` integer,
	`quarantine_reason` text,
	`below_network_at` integer,
	`note` text DEFAULT '' NOT NULL,
	`judged_at` integer,
	`created_at` integer NOT NULL,
	`seen_at` integer NOT NULL,
	`left_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `hosts_machine` ON `hosts` (`owner_id`,`machine`);--> statement-breakpoint
CREATE INDEX `hosts_judged` ON `hosts` (`judged_at`);--> statement-breakpoint
CREATE TABLE `hubs` (
	`id` text PRIMARY KEY NOT NULL,
	`self_url` text,
	`started_at` integer NOT NULL,
	`seen_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `imports` (
	`model` text PRIMARY KEY NOT NULL,
	`record` text NOT NULL,
	`changed_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `invitations` (
	`id` text PRIMARY KEY NOT NULL,
	`hash` text NOT NULL,
	`hint` text NOT NULL,
	`email` text,
	`roles` text NOT NULL,
	`credit` integer NOT NULL,
	`created_by` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	`used_by` text,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `invitations_hash_unique` ON `invitations` (`hash`);--> statement-breakpoint
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
CREATE TABLE `limits` (
	`subject` text PRIMARY KEY NOT NULL,
	`requests_per_minute` integer,
	`tokens_per_minute` integer,
	`concurrency` integer,
	`budget` integer,
	`spent` integer DEFAULT 0 NOT NULL,
	`expires_at` integer,
	`models` text
);
--> statement-breakpoint
CREATE TABLE `links` (
	`host_id` text NOT NULL,
	`hub_id` text NOT NULL,
	`epoch` integer NOT NULL,
	`state` text NOT NULL,
	`models` text NOT NULL,
	`tripped` text DEFAULT '[]' NOT NULL,
	`run` text,
	`rests` text,
	`since` integer NOT NULL,
	PRIMARY KEY(`host_id`, `hub_id`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `links_hub` ON `links` (`hub_id`);--> statement-breakpoint
CREATE TABLE `logins` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`provider` text NOT NULL,
	`subject` text NOT NULL,
	`secret` text,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE UNIQUE INDEX `logins_subject` ON `logins` (`provider`,`subject`);--> statement-breakpoint
CREATE INDEX `logins_user` ON `logins` (`user_id`);--> statement-breakpoint
CREATE TABLE `mails` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`recipient` text NOT NULL,
	`subject` text NOT NULL,
	`text` text,
	`html` text,
	`off` text,
	`created_at` integer NOT NULL,
	`next_at` integer,
	`tries` integer NOT NULL,
	`sent_at` integer,
	`error` text
);
--> statement-breakpoint
CREATE INDEX `mails_next` ON `mails` (`next_at`);--> statement-breakpoint
CREATE INDEX `mails_recipient` ON `mails` (`recipient`);--> statement-breakpoint
CREATE TABLE `network_sightings` (
	`host_id` text NOT NULL,
	`hub_id` text NOT NULL,
	`round_trip_ms` integer,
	`losses` text NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`host_id`, `hub_id`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `network_sightings_at` ON `network_sightings` (`at`);--> statement-breakpoint
CREATE TABLE `networks` (
	`host_id` text PRIMARY KEY NOT NULL,
	`state` text NOT NULL,
	`since` integer NOT NULL,
	`clear_since` integer,
	`down_kbits` integer,
	`up_kbits` integer,
	`probed_at` integer,
	`round_trip_ms` integer,
	`link_losses` integer NOT NULL,
	`faults` text NOT NULL,
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `networks_state` ON `networks` (`state`);--> statement-breakpoint
CREATE INDEX `networks_probed` ON `networks` (`probed_at`);--> statement-breakpoint
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
CREATE TABLE `offers` (
	`variant` text PRIMARY KEY NOT NULL,
	`enabled` integer NOT NULL,
	`prompt_picos` integer,
	`completion_picos` integer,
	`changed_at` integer NOT NULL
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
CREATE INDEX `onces_running` ON `onces` (`hub_id`) WHERE "onces"."state" = 'running';--> statement-breakpoint
CREATE TABLE `owner_traffic` (
	`owner_id` text NOT NULL,
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
	`begun` integer DEFAULT 0 NOT NULL,
	`within50` integer DEFAULT 0 NOT NULL,
	`within100` integer DEFAULT 0 NOT NULL,
	`within150` integer DEFAULT 0 NOT NULL,
	`within200` integer DEFAULT 0 NOT NULL,
	`within300` integer DEFAULT 0 NOT NULL,
	`within400` integer DEFAULT 0 NOT NULL,
	`within500` integer DEFAULT 0 NOT NULL,
	`within750` integer DEFAULT 0 NOT NULL,
	`within1000` integer DEFAULT 0 NOT NULL,
	`within1500` integer DEFAULT 0 NOT NULL,
	`within2000` integer DEFAULT 0 NOT NULL,
	`within3000` integer DEFAULT 0 NOT NULL,
	`within5000` integer DEFAULT 0 NOT NULL,
	`within10000` integer DEFAULT 0 NOT NULL,
	`within30000` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`owner_id`, `span`, `at`, `variant`)
);
--> statement-breakpoint
CREATE INDEX `owner_traffic_at` ON `owner_traffic` (`span`,`at`);--> statement-breakpoint
CREATE TABLE `postings` (
	`key` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`note` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `recovery_codes` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`mac` text NOT NULL,
	`used_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE UNIQUE INDEX `recovery_codes_mac_unique` ON `recovery_codes` (`mac`);--> statement-breakpoint
CREATE INDEX `recovery_codes_user` ON `recovery_codes` (`user_id`);--> statement-breakpoint
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
	`resumed` integer DEFAULT 0 NOT NULL,
	`finish_reason` text,
	`error_code` text,
	`delivered` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `requests_user` ON `requests` (`user_id`,`at`);--> statement-breakpoint
CREATE INDEX `requests_host` ON `requests` (`host_id`,`at`);--> statement-breakpoint
CREATE INDEX `requests_undelivered` ON `requests` (`hub_id`) WHERE not "requests"."delivered";--> statement-breakpoint
CREATE INDEX `requests_at` ON `requests` (`at`);--> statement-breakpoint
CREATE INDEX `requests_lost` ON `requests` (`ended_at`) WHERE "requests"."state" = 'lost';--> statement-breakpoint
CREATE TABLE `second_factors` (
	`user_id` text PRIMARY KEY NOT NULL,
	`secret` text NOT NULL,
	`confirmed_at` integer,
	`last_step` integer NOT NULL,
	`failures` integer NOT NULL,
	`locked_until` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`hash` text NOT NULL,
	`created_at` integer NOT NULL,
	`seen_at` integer NOT NULL,
	`proved_at` integer NOT NULL,
	`address` text NOT NULL,
	`agent` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_hash_unique` ON `sessions` (`hash`);--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`);--> statement-breakpoint
CREATE INDEX `sessions_seen` ON `sessions` (`seen_at`);--> statement-breakpoint
CREATE TABLE `settings` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL,
	`changed_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `tellings` (
	`user_id` text NOT NULL,
	`kind` text NOT NULL,
	`about` text NOT NULL,
	`day` integer NOT NULL,
	PRIMARY KEY(`user_id`, `kind`, `about`, `day`)
);
--> statement-breakpoint
CREATE INDEX `tellings_day` ON `tellings` (`day`);--> statement-breakpoint
CREATE TABLE `tenures` (
	`host_id` text NOT NULL,
	`at` integer NOT NULL,
	`team` integer NOT NULL,
	`rent` integer NOT NULL,
	PRIMARY KEY(`host_id`, `at`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `tickets` (
	`id` text PRIMARY KEY NOT NULL,
	`purpose` text NOT NULL,
	`hash` text NOT NULL,
	`user_id` text,
	`data` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE restrict
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tickets_hash_unique` ON `tickets` (`hash`);--> statement-breakpoint
CREATE INDEX `tickets_user` ON `tickets` (`user_id`);--> statement-breakpoint
CREATE INDEX `tickets_expiry` ON `tickets` (`expires_at`);--> statement-breakpoint
CREATE TABLE `tokenizers` (
	`id` text PRIMARY KEY NOT NULL,
	`packed` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `traffic_until` (
	`span` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`name` text,
	`country` text,
	`roles` text NOT NULL,
	`hat` text,
	`terms` text,
	`muted` text,
	`created_at` integer NOT NULL,
	`suspended_at` integer,
	`suspended_for` text,
	`erased_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_email_unique` ON `users` (`email`);