CREATE TABLE "reports" (
	"id" text PRIMARY KEY NOT NULL,
	"at" bigint NOT NULL,
	"kind" text NOT NULL,
	"about" text NOT NULL,
	"text" text NOT NULL,
	"contact" text NOT NULL,
	"state" text NOT NULL,
	"note" text DEFAULT '' NOT NULL,
	"changed_at" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "vetted_at" bigint;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "quarantined_at" bigint;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "quarantine_reason" text;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "note" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "judged_at" bigint;--> statement-breakpoint
ALTER TABLE "offers" ADD COLUMN "prompt_picos" bigint;--> statement-breakpoint
ALTER TABLE "offers" ADD COLUMN "completion_picos" bigint;--> statement-breakpoint
CREATE INDEX "reports_state" ON "reports" USING btree ("state","id");--> statement-breakpoint
CREATE INDEX "hosts_judged" ON "hosts" USING btree ("judged_at");