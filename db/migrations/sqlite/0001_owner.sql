ALTER TABLE `hosts` ADD `left_at` integer;--> statement-breakpoint
ALTER TABLE `links` ADD `rests` text;