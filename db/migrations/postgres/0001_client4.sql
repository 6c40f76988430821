CREATE TABLE "tenures" (
	"host_id" text NOT NULL,
	"at" bigint NOT NULL,
	"team" boolean NOT NULL,
	"rent" bigint NOT NULL,
	CONSTRAINT "tenures_host_id_at_pk" PRIMARY KEY("host_id","at")
);
--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "begun" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within50" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within100" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within150" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within200" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within300" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within400" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within500" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within750" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within1000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within1500" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within2000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within3000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within5000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within10000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "all_traffic" ADD COLUMN "within30000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "begun" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within50" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within100" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within150" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within200" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within300" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within400" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within500" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within750" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within1000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within1500" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within2000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within3000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within5000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within10000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_traffic" ADD COLUMN "within30000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "begun" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within50" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within100" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within150" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within200" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within300" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within400" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within500" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within750" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within1000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within1500" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within2000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within3000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within5000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within10000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "host_traffic" ADD COLUMN "within30000" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "limits" ADD COLUMN "models" text;--> statement-breakpoint
ALTER TABLE "mails" ADD COLUMN "off" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "suspended_for" text;--> statement-breakpoint
ALTER TABLE "tenures" ADD CONSTRAINT "tenures_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;