CREATE TABLE "tenures" (
	"host_id" text NOT NULL,
	"at" bigint NOT NULL,
	"team" boolean NOT NULL,
	"rent" bigint NOT NULL,
	CONSTRAINT "tenures_host_id_at_pk" PRIMARY KEY("host_id","at")
);
--> statement-breakpoint
ALTER TABLE "tenures" ADD CONSTRAINT "tenures_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;