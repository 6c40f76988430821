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
	PRIMARY KEY(`owner_id`, `span`, `at`, `variant`)
);
--> statement-breakpoint
CREATE INDEX `owner_traffic_at` ON `owner_traffic` (`span`,`at`);--> statement-breakpoint
CREATE TABLE `tenures` (
	`host_id` text NOT NULL,
	`at` integer NOT NULL,
	`team` integer NOT NULL,
	`rent` integer NOT NULL,
	PRIMARY KEY(`host_id`, `at`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
ALTER TABLE `hosts` ADD `cards` text DEFAULT '' NOT NULL;--> statement-breakpoint
INSERT INTO owner_traffic (owner_id, span, at, variant, completed, cancelled, failed, lost, moved, prompt_tokens, completion_tokens, cost, host_share, decode_ms, decoded_tokens)
SELECT hosts.owner_id, span, at, variant, sum(completed), sum(cancelled), sum(failed), sum(lost), sum(moved), sum(prompt_tokens), sum(completion_tokens), sum(cost), sum(host_share), sum(decode_ms), sum(decoded_tokens)
FROM host_traffic JOIN hosts ON hosts.id = host_traffic.host_id GROUP BY hosts.owner_id, span, at, variant;
