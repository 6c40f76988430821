CREATE TABLE `tenures` (
	`host_id` text NOT NULL,
	`at` integer NOT NULL,
	`team` integer NOT NULL,
	`rent` integer NOT NULL,
	PRIMARY KEY(`host_id`, `at`),
	FOREIGN KEY (`host_id`) REFERENCES `hosts`(`id`) ON UPDATE no action ON DELETE cascade
);
