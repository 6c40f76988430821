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
CREATE TABLE `imports` (
	`model` text PRIMARY KEY NOT NULL,
	`record` text NOT NULL,
	`changed_at` integer NOT NULL
);
--> statement-breakpoint
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
CREATE TABLE `tellings` (
	`user_id` text NOT NULL,
	`kind` text NOT NULL,
	`about` text NOT NULL,
	`day` integer NOT NULL,
	PRIMARY KEY(`user_id`, `kind`, `about`, `day`)
);
--> statement-breakpoint
CREATE INDEX `tellings_day` ON `tellings` (`day`);--> statement-breakpoint
CREATE TABLE `tokenizers` (
	`id` text PRIMARY KEY NOT NULL,
	`packed` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `hosts` ADD `checked_at` integer;--> statement-breakpoint
ALTER TABLE `hosts` ADD `below_network_at` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `muted` text;