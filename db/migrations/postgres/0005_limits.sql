CREATE TABLE "limits" (
	"subject" text PRIMARY KEY NOT NULL,
	"requests_per_minute" bigint,
	"tokens_per_minute" bigint,
	"concurrency" bigint,
	"budget" bigint,
	"spent" bigint DEFAULT 0 NOT NULL,
	"expires_at" bigint
);
--> statement-breakpoint
CREATE TABLE "onces" (
	"id" text PRIMARY KEY NOT NULL,
	"request_id" text NOT NULL,
	"hub_id" text NOT NULL,
	"user_id" text NOT NULL,
	"key_id" text NOT NULL,
	"body" text NOT NULL,
	"stream" boolean NOT NULL,
	"state" text NOT NULL,
	"answer" text,
	"at" bigint NOT NULL,
	"expires_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "onces_request" ON "onces" USING btree ("request_id");--> statement-breakpoint
CREATE INDEX "onces_expires" ON "onces" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "onces_running" ON "onces" USING btree ("hub_id") WHERE "onces"."state" = 'running';