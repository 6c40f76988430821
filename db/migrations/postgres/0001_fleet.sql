CREATE TABLE "checks" (
	"host_id" text NOT NULL,
	"variant" text NOT NULL,
	"tries" bigint NOT NULL,
	"passed" boolean NOT NULL,
	"finding" text NOT NULL,
	"tokens_per_second" bigint,
	"at" bigint NOT NULL,
	CONSTRAINT "checks_host_id_variant_pk" PRIMARY KEY("host_id","variant")
);
--> statement-breakpoint
CREATE TABLE "imports" (
	"model" text PRIMARY KEY NOT NULL,
	"record" text NOT NULL,
	"changed_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "network_sightings" (
	"host_id" text NOT NULL,
	"hub_id" text NOT NULL,
	"round_trip_ms" bigint,
	"losses" text NOT NULL,
	"at" bigint NOT NULL,
	CONSTRAINT "network_sightings_host_id_hub_id_pk" PRIMARY KEY("host_id","hub_id")
);
--> statement-breakpoint
CREATE TABLE "networks" (
	"host_id" text PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"since" bigint NOT NULL,
	"clear_since" bigint,
	"down_kbits" bigint,
	"up_kbits" bigint,
	"probed_at" bigint,
	"round_trip_ms" bigint,
	"link_losses" bigint NOT NULL,
	"faults" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tellings" (
	"user_id" text NOT NULL,
	"kind" text NOT NULL,
	"about" text NOT NULL,
	"day" bigint NOT NULL,
	CONSTRAINT "tellings_user_id_kind_about_day_pk" PRIMARY KEY("user_id","kind","about","day")
);
--> statement-breakpoint
CREATE TABLE "tokenizers" (
	"id" text PRIMARY KEY NOT NULL,
	"packed" text NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "checked_at" bigint;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "below_network_at" bigint;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "muted" text;--> statement-breakpoint
ALTER TABLE "checks" ADD CONSTRAINT "checks_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "network_sightings" ADD CONSTRAINT "network_sightings_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "networks" ADD CONSTRAINT "networks_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "network_sightings_at" ON "network_sightings" USING btree ("at");--> statement-breakpoint
CREATE INDEX "networks_state" ON "networks" USING btree ("state");--> statement-breakpoint
CREATE INDEX "networks_probed" ON "networks" USING btree ("probed_at");--> statement-breakpoint
CREATE INDEX "tellings_day" ON "tellings" USING btree ("day");