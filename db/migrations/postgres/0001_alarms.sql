CREATE TABLE "alarms" (
	"id" text PRIMARY KEY NOT NULL,
	"text" text NOT NULL,
	"raised_at" bigint NOT NULL,
	"cleared_at" bigint,
	"next_at" bigint,
	"tries" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX "alarms_next" ON "alarms" USING btree ("next_at");