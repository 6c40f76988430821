CREATE TABLE "accounts" (
	"id" text PRIMARY KEY NOT NULL,
	"balance" bigint DEFAULT 0 NOT NULL,
	"granted" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "accounts_granted" CHECK ("accounts"."granted" >= 0),
	CONSTRAINT "accounts_covered" CHECK ("accounts"."balance" >= "accounts"."granted")
);
--> statement-breakpoint
CREATE TABLE "acknowledgements" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"model" text NOT NULL,
	"licence" text NOT NULL,
	"statements" text NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "entries" (
	"posting" text NOT NULL,
	"line" bigint NOT NULL,
	"account" text NOT NULL,
	"amount" bigint NOT NULL,
	"at" bigint NOT NULL,
	CONSTRAINT "entries_posting_line_pk" PRIMARY KEY("posting","line"),
	CONSTRAINT "entries_nonzero" CHECK ("entries"."amount" <> 0)
);
--> statement-breakpoint
CREATE TABLE "grants" (
	"hub_id" text NOT NULL,
	"account" text NOT NULL,
	"amount" bigint NOT NULL,
	CONSTRAINT "grants_hub_id_account_pk" PRIMARY KEY("hub_id","account"),
	CONSTRAINT "grants_positive" CHECK ("grants"."amount" >= 0)
);
--> statement-breakpoint
CREATE TABLE "host_tokens" (
	"id" text PRIMARY KEY NOT NULL,
	"owner_id" text NOT NULL,
	"name" text NOT NULL,
	"hash" text NOT NULL,
	"hint" text NOT NULL,
	"created_at" bigint NOT NULL,
	"revoked_at" bigint,
	CONSTRAINT "host_tokens_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "hosts" (
	"id" text PRIMARY KEY NOT NULL,
	"owner_id" text NOT NULL,
	"token_id" text NOT NULL,
	"machine" text NOT NULL,
	"name" text NOT NULL,
	"agent" text NOT NULL,
	"hardware" text NOT NULL,
	"simulated" boolean NOT NULL,
	"created_at" bigint NOT NULL,
	"seen_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "hubs" (
	"id" text PRIMARY KEY NOT NULL,
	"self_url" text,
	"started_at" bigint NOT NULL,
	"seen_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "keys" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"hash" text NOT NULL,
	"hint" text NOT NULL,
	"created_at" bigint NOT NULL,
	"revoked_at" bigint,
	CONSTRAINT "keys_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "links" (
	"host_id" text NOT NULL,
	"hub_id" text NOT NULL,
	"epoch" bigint NOT NULL,
	"state" text NOT NULL,
	"models" text NOT NULL,
	"since" bigint NOT NULL,
	CONSTRAINT "links_host_id_hub_id_pk" PRIMARY KEY("host_id","hub_id")
);
--> statement-breakpoint
CREATE TABLE "offers" (
	"variant" text PRIMARY KEY NOT NULL,
	"enabled" boolean NOT NULL,
	"changed_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postings" (
	"key" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"note" text NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "requests" (
	"id" text PRIMARY KEY NOT NULL,
	"hub_id" text NOT NULL,
	"user_id" text NOT NULL,
	"key_id" text NOT NULL,
	"variant" text NOT NULL,
	"state" text NOT NULL,
	"stream" boolean NOT NULL,
	"at" bigint NOT NULL,
	"ended_at" bigint NOT NULL,
	"first_token_ms" bigint,
	"prompt_tokens" bigint NOT NULL,
	"completion_tokens" bigint NOT NULL,
	"claimed_tokens" bigint,
	"counts_differ" boolean NOT NULL,
	"prompt_picos" bigint NOT NULL,
	"completion_picos" bigint NOT NULL,
	"cost" bigint NOT NULL,
	"fee" bigint NOT NULL,
	"host_share" bigint NOT NULL,
	"host_id" text,
	"attempts" bigint NOT NULL,
	"finish_reason" text,
	"error_code" text,
	"delivered" boolean NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" text PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"roles" text NOT NULL,
	"created_at" bigint NOT NULL,
	"suspended_at" bigint,
	CONSTRAINT "users_email_unique" UNIQUE("email")
);
--> statement-breakpoint
ALTER TABLE "acknowledgements" ADD CONSTRAINT "acknowledgements_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "entries" ADD CONSTRAINT "entries_posting_postings_key_fk" FOREIGN KEY ("posting") REFERENCES "public"."postings"("key") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "host_tokens" ADD CONSTRAINT "host_tokens_owner_id_users_id_fk" FOREIGN KEY ("owner_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keys" ADD CONSTRAINT "keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "links" ADD CONSTRAINT "links_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "acknowledgements_user" ON "acknowledgements" USING btree ("user_id","model");--> statement-breakpoint
CREATE INDEX "entries_account" ON "entries" USING btree ("account","at","posting");--> statement-breakpoint
CREATE INDEX "host_tokens_owner" ON "host_tokens" USING btree ("owner_id");--> statement-breakpoint
CREATE UNIQUE INDEX "hosts_machine" ON "hosts" USING btree ("owner_id","machine");--> statement-breakpoint
CREATE INDEX "keys_user" ON "keys" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE INDEX "links_hub" ON "links" USING btree ("hub_id");--> statement-breakpoint
CREATE INDEX "requests_user" ON "requests" USING btree ("user_id","at");--> statement-breakpoint
CREATE INDEX "requests_host" ON "requests" USING btree ("host_id","at");--> statement-breakpoint
CREATE INDEX "requests_undelivered" ON "requests" USING btree ("hub_id") WHERE not "requests"."delivered";--> statement-breakpoint
CREATE INDEX "requests_at" ON "requests" USING btree ("at");