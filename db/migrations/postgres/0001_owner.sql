ALTER TABLE "hosts" ADD COLUMN "left_at" bigint;--> statement-breakpoint
ALTER TABLE "links" ADD COLUMN "rests" text;