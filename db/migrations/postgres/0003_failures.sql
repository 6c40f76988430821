CREATE TABLE "failure_days" (
	"host_id" text NOT NULL,
	"day" bigint NOT NULL,
	"class" text NOT NULL,
	"count" bigint NOT NULL,
	CONSTRAINT "failure_days_host_id_day_class_pk" PRIMARY KEY("host_id","day","class")
);
--> statement-breakpoint
CREATE TABLE "failures" (
	"id" text PRIMARY KEY NOT NULL,
	"host_id" text NOT NULL,
	"variant" text NOT NULL,
	"class" text NOT NULL,
	"code" text NOT NULL,
	"message" text NOT NULL,
	"request_id" text NOT NULL,
	"attempt" bigint NOT NULL,
	"tokens" bigint NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "host_locks" (
	"host_id" text NOT NULL,
	"token_id" text NOT NULL,
	"at" bigint NOT NULL,
	CONSTRAINT "host_locks_host_id_token_id_pk" PRIMARY KEY("host_id","token_id")
);
--> statement-breakpoint
CREATE TABLE "notices" (
	"id" text PRIMARY KEY NOT NULL,
	"host_id" text NOT NULL,
	"owner_id" text NOT NULL,
	"kind" text NOT NULL,
	"message" text NOT NULL,
	"token_id" text,
	"at" bigint NOT NULL,
	"cleared_at" bigint
);
--> statement-breakpoint
ALTER TABLE "links" ADD COLUMN "tripped" text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE "links" ADD COLUMN "run" text;--> statement-breakpoint
ALTER TABLE "failure_days" ADD CONSTRAINT "failure_days_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "failures" ADD CONSTRAINT "failures_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "host_locks" ADD CONSTRAINT "host_locks_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notices" ADD CONSTRAINT "notices_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "failures_host" ON "failures" USING btree ("host_id","at");--> statement-breakpoint
CREATE INDEX "host_locks_at" ON "host_locks" USING btree ("at");--> statement-breakpoint
CREATE INDEX "notices_host" ON "notices" USING btree ("host_id","at");--> statement-breakpoint
CREATE INDEX "notices_owner" ON "notices" USING btree ("owner_id","at");