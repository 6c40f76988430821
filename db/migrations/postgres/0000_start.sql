CREATE TABLE "acceptances" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"role" text NOT NULL,
	"version" text NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
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
CREATE TABLE "acts" (
	"id" text PRIMARY KEY NOT NULL,
	"at" bigint NOT NULL,
	"by" text,
	"what" text NOT NULL,
	"subject" text NOT NULL,
	"before" text,
	"after" text
);
--> statement-breakpoint
CREATE TABLE "alarms" (
	"id" text PRIMARY KEY NOT NULL,
	"text" text NOT NULL,
	"raised_at" bigint NOT NULL,
	"cleared_at" bigint,
	"next_at" bigint,
	"tries" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "all_traffic" (
	"span" text NOT NULL,
	"at" bigint NOT NULL,
	"variant" text NOT NULL,
	"completed" bigint NOT NULL,
	"cancelled" bigint NOT NULL,
	"failed" bigint NOT NULL,
	"lost" bigint NOT NULL,
	"moved" bigint NOT NULL,
	"prompt_tokens" bigint NOT NULL,
	"completion_tokens" bigint NOT NULL,
	"cost" bigint NOT NULL,
	"host_share" bigint NOT NULL,
	"decode_ms" bigint NOT NULL,
	"decoded_tokens" bigint NOT NULL,
	"begun" bigint DEFAULT 0 NOT NULL,
	"within50" bigint DEFAULT 0 NOT NULL,
	"within100" bigint DEFAULT 0 NOT NULL,
	"within150" bigint DEFAULT 0 NOT NULL,
	"within200" bigint DEFAULT 0 NOT NULL,
	"within300" bigint DEFAULT 0 NOT NULL,
	"within400" bigint DEFAULT 0 NOT NULL,
	"within500" bigint DEFAULT 0 NOT NULL,
	"within750" bigint DEFAULT 0 NOT NULL,
	"within1000" bigint DEFAULT 0 NOT NULL,
	"within1500" bigint DEFAULT 0 NOT NULL,
	"within2000" bigint DEFAULT 0 NOT NULL,
	"within3000" bigint DEFAULT 0 NOT NULL,
	"within5000" bigint DEFAULT 0 NOT NULL,
	"within10000" bigint DEFAULT 0 NOT NULL,
	"within30000" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "all_traffic_span_at_variant_pk" PRIMARY KEY("span","at","variant")
);
--> statement-breakpoint
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
CREATE TABLE "client_traffic" (
	"user_id" text NOT NULL,
	"span" text NOT NULL,
	"at" bigint NOT NULL,
	"key_id" text NOT NULL,
	"variant" text NOT NULL,
	"completed" bigint NOT NULL,
	"cancelled" bigint NOT NULL,
	"failed" bigint NOT NULL,
	"lost" bigint NOT NULL,
	"moved" bigint NOT NULL,
	"prompt_tokens" bigint NOT NULL,
	"completion_tokens" bigint NOT NULL,
	"cost" bigint NOT NULL,
	"host_share" bigint NOT NULL,
	"decode_ms" bigint NOT NULL,
	"decoded_tokens" bigint NOT NULL,
	"begun" bigint DEFAULT 0 NOT NULL,
	"within50" bigint DEFAULT 0 NOT NULL,
	"within100" bigint DEFAULT 0 NOT NULL,
	"within150" bigint DEFAULT 0 NOT NULL,
	"within200" bigint DEFAULT 0 NOT NULL,
	"within300" bigint DEFAULT 0 NOT NULL,
	"within400" bigint DEFAULT 0 NOT NULL,
	"within500" bigint DEFAULT 0 NOT NULL,
	"within750" bigint DEFAULT 0 NOT NULL,
	"within1000" bigint DEFAULT 0 NOT NULL,
	"within1500" bigint DEFAULT 0 NOT NULL,
	"within2000" bigint DEFAULT 0 NOT NULL,
	"within3000" bigint DEFAULT 0 NOT NULL,
	"within5000" bigint DEFAULT 0 NOT NULL,
	"within10000" bigint DEFAULT 0 NOT NULL,
	"within30000" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "client_traffic_user_id_span_at_key_id_variant_pk" PRIMARY KEY("user_id","span","at","key_id","variant")
);
--> statement-breakpoint
CREATE TABLE "device_sign_ins" (
	"id" text PRIMARY KEY NOT NULL,
	"hash" text NOT NULL,
	"code" text NOT NULL,
	"machine_key" text NOT NULL,
	"name" text NOT NULL,
	"gpu" text NOT NULL,
	"agent" text NOT NULL,
	"time_zone" text,
	"country" text,
	"address" text NOT NULL,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"polled_at" bigint,
	"interval_seconds" bigint NOT NULL,
	"claimed_by" text,
	"decision" text,
	CONSTRAINT "device_sign_ins_hash_unique" UNIQUE("hash"),
	CONSTRAINT "device_sign_ins_code_unique" UNIQUE("code")
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
CREATE TABLE "gifts" (
	"key" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"amount" bigint NOT NULL,
	"note" text NOT NULL,
	"created_at" bigint NOT NULL,
	"posted_at" bigint
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
CREATE TABLE "host_locks" (
	"host_id" text NOT NULL,
	"token_id" text NOT NULL,
	"at" bigint NOT NULL,
	CONSTRAINT "host_locks_host_id_token_id_pk" PRIMARY KEY("host_id","token_id")
);
--> statement-breakpoint
CREATE TABLE "host_tokens" (
	"id" text PRIMARY KEY NOT NULL,
	"owner_id" text NOT NULL,
	"name" text NOT NULL,
	"hash" text NOT NULL,
	"hint" text NOT NULL,
	"machine_key" text,
	"created_at" bigint NOT NULL,
	"revoked_at" bigint,
	CONSTRAINT "host_tokens_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "host_traffic" (
	"host_id" text NOT NULL,
	"span" text NOT NULL,
	"at" bigint NOT NULL,
	"variant" text NOT NULL,
	"completed" bigint NOT NULL,
	"cancelled" bigint NOT NULL,
	"failed" bigint NOT NULL,
	"lost" bigint NOT NULL,
	"moved" bigint NOT NULL,
	"prompt_tokens" bigint NOT NULL,
	"completion_tokens" bigint NOT NULL,
	"cost" bigint NOT NULL,
	"host_share" bigint NOT NULL,
	"decode_ms" bigint NOT NULL,
	"decoded_tokens" bigint NOT NULL,
	"begun" bigint DEFAULT 0 NOT NULL,
	"within50" bigint DEFAULT 0 NOT NULL,
	"within100" bigint DEFAULT 0 NOT NULL,
	"within150" bigint DEFAULT 0 NOT NULL,
	"within200" bigint DEFAULT 0 NOT NULL,
	"within300" bigint DEFAULT 0 NOT NULL,
	"within400" bigint DEFAULT 0 NOT NULL,
	"within500" bigint DEFAULT 0 NOT NULL,
	"within750" bigint DEFAULT 0 NOT NULL,
	"within1000" bigint DEFAULT 0 NOT NULL,
	"within1500" bigint DEFAULT 0 NOT NULL,
	"within2000" bigint DEFAULT 0 NOT NULL,
	"within3000" bigint DEFAULT 0 NOT NULL,
	"within5000" bigint DEFAULT 0 NOT NULL,
	"within10000" bigint DEFAULT 0 NOT NULL,
	"within30000" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "host_traffic_host_id_span_at_variant_pk" PRIMARY KEY("host_id","span","at","variant")
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
	"cards" text DEFAULT '' NOT NULL,
	"simulated" boolean NOT NULL,
	"checked_at" bigint,
	"vetted_at" bigint,
	"quarantined_at" bigint,
	"quarantine_reason" text,
	"below_network_at" bigint,
	"note" text DEFAULT '' NOT NULL,
	"judged_at" bigint,
	"created_at" bigint NOT NULL,
	"seen_at" bigint NOT NULL,
	"left_at" bigint
);
--> statement-breakpoint
CREATE TABLE "hubs" (
	"id" text PRIMARY KEY NOT NULL,
	"self_url" text,
	"started_at" bigint NOT NULL,
	"seen_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "imports" (
	"model" text PRIMARY KEY NOT NULL,
	"record" text NOT NULL,
	"changed_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "invitations" (
	"id" text PRIMARY KEY NOT NULL,
	"hash" text NOT NULL,
	"hint" text NOT NULL,
	"email" text,
	"roles" text NOT NULL,
	"credit" bigint NOT NULL,
	"created_by" text,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"used_at" bigint,
	"used_by" text,
	"revoked_at" bigint,
	CONSTRAINT "invitations_hash_unique" UNIQUE("hash")
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
CREATE TABLE "limits" (
	"subject" text PRIMARY KEY NOT NULL,
	"requests_per_minute" bigint,
	"tokens_per_minute" bigint,
	"concurrency" bigint,
	"budget" bigint,
	"spent" bigint DEFAULT 0 NOT NULL,
	"expires_at" bigint,
	"models" text
);
--> statement-breakpoint
CREATE TABLE "links" (
	"host_id" text NOT NULL,
	"hub_id" text NOT NULL,
	"epoch" bigint NOT NULL,
	"state" text NOT NULL,
	"models" text NOT NULL,
	"tripped" text DEFAULT '[]' NOT NULL,
	"run" text,
	"rests" text,
	"since" bigint NOT NULL,
	CONSTRAINT "links_host_id_hub_id_pk" PRIMARY KEY("host_id","hub_id")
);
--> statement-breakpoint
CREATE TABLE "logins" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"provider" text NOT NULL,
	"subject" text NOT NULL,
	"secret" text,
	"created_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mails" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"recipient" text NOT NULL,
	"subject" text NOT NULL,
	"text" text,
	"html" text,
	"off" text,
	"created_at" bigint NOT NULL,
	"next_at" bigint,
	"tries" bigint NOT NULL,
	"sent_at" bigint,
	"error" text
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
CREATE TABLE "offers" (
	"variant" text PRIMARY KEY NOT NULL,
	"enabled" boolean NOT NULL,
	"prompt_picos" bigint,
	"completion_picos" bigint,
	"changed_at" bigint NOT NULL
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
CREATE TABLE "owner_traffic" (
	"owner_id" text NOT NULL,
	"span" text NOT NULL,
	"at" bigint NOT NULL,
	"variant" text NOT NULL,
	"completed" bigint NOT NULL,
	"cancelled" bigint NOT NULL,
	"failed" bigint NOT NULL,
	"lost" bigint NOT NULL,
	"moved" bigint NOT NULL,
	"prompt_tokens" bigint NOT NULL,
	"completion_tokens" bigint NOT NULL,
	"cost" bigint NOT NULL,
	"host_share" bigint NOT NULL,
	"decode_ms" bigint NOT NULL,
	"decoded_tokens" bigint NOT NULL,
	"begun" bigint DEFAULT 0 NOT NULL,
	"within50" bigint DEFAULT 0 NOT NULL,
	"within100" bigint DEFAULT 0 NOT NULL,
	"within150" bigint DEFAULT 0 NOT NULL,
	"within200" bigint DEFAULT 0 NOT NULL,
	"within300" bigint DEFAULT 0 NOT NULL,
	"within400" bigint DEFAULT 0 NOT NULL,
	"within500" bigint DEFAULT 0 NOT NULL,
	"within750" bigint DEFAULT 0 NOT NULL,
	"within1000" bigint DEFAULT 0 NOT NULL,
	"within1500" bigint DEFAULT 0 NOT NULL,
	"within2000" bigint DEFAULT 0 NOT NULL,
	"within3000" bigint DEFAULT 0 NOT NULL,
	"within5000" bigint DEFAULT 0 NOT NULL,
	"within10000" bigint DEFAULT 0 NOT NULL,
	"within30000" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "owner_traffic_owner_id_span_at_variant_pk" PRIMARY KEY("owner_id","span","at","variant")
);
--> statement-breakpoint
CREATE TABLE "postings" (
	"key" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"note" text NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "recovery_codes" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"mac" text NOT NULL,
	"used_at" bigint,
	CONSTRAINT "recovery_codes_mac_unique" UNIQUE("mac")
);
--> statement-breakpoint
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
	"resumed" bigint DEFAULT 0 NOT NULL,
	"finish_reason" text,
	"error_code" text,
	"delivered" boolean NOT NULL
);
--> statement-breakpoint
CREATE TABLE "second_factors" (
	"user_id" text PRIMARY KEY NOT NULL,
	"secret" text NOT NULL,
	"confirmed_at" bigint,
	"last_step" bigint NOT NULL,
	"failures" bigint NOT NULL,
	"locked_until" bigint
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"hash" text NOT NULL,
	"created_at" bigint NOT NULL,
	"seen_at" bigint NOT NULL,
	"proved_at" bigint NOT NULL,
	"address" text NOT NULL,
	"agent" text NOT NULL,
	CONSTRAINT "sessions_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "settings" (
	"name" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL,
	"changed_at" bigint NOT NULL
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
CREATE TABLE "tenures" (
	"host_id" text NOT NULL,
	"at" bigint NOT NULL,
	"team" boolean NOT NULL,
	"rent" bigint NOT NULL,
	CONSTRAINT "tenures_host_id_at_pk" PRIMARY KEY("host_id","at")
);
--> statement-breakpoint
CREATE TABLE "tickets" (
	"id" text PRIMARY KEY NOT NULL,
	"purpose" text NOT NULL,
	"hash" text NOT NULL,
	"user_id" text,
	"data" text NOT NULL,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	CONSTRAINT "tickets_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "tokenizers" (
	"id" text PRIMARY KEY NOT NULL,
	"packed" text NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "traffic_until" (
	"span" text PRIMARY KEY NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" text PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"name" text,
	"country" text,
	"roles" text NOT NULL,
	"hat" text,
	"terms" text,
	"muted" text,
	"created_at" bigint NOT NULL,
	"suspended_at" bigint,
	"suspended_for" text,
	"erased_at" bigint,
	CONSTRAINT "users_email_unique" UNIQUE("email")
);
--> statement-breakpoint
ALTER TABLE "acceptances" ADD CONSTRAINT "acceptances_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "acknowledgements" ADD CONSTRAINT "acknowledgements_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "checks" ADD CONSTRAINT "checks_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "entries" ADD CONSTRAINT "entries_posting_postings_key_fk" FOREIGN KEY ("posting") REFERENCES "public"."postings"("key") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "failure_days" ADD CONSTRAINT "failure_days_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "failures" ADD CONSTRAINT "failures_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "gifts" ADD CONSTRAINT "gifts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "host_locks" ADD CONSTRAINT "host_locks_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "host_tokens" ADD CONSTRAINT "host_tokens_owner_id_users_id_fk" FOREIGN KEY ("owner_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keys" ADD CONSTRAINT "keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "links" ADD CONSTRAINT "links_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "logins" ADD CONSTRAINT "logins_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "network_sightings" ADD CONSTRAINT "network_sightings_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "networks" ADD CONSTRAINT "networks_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notices" ADD CONSTRAINT "notices_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "recovery_codes" ADD CONSTRAINT "recovery_codes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "second_factors" ADD CONSTRAINT "second_factors_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tenures" ADD CONSTRAINT "tenures_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "acceptances_user" ON "acceptances" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "acknowledgements_user" ON "acknowledgements" USING btree ("user_id","model");--> statement-breakpoint
CREATE INDEX "acts_subject" ON "acts" USING btree ("subject");--> statement-breakpoint
CREATE INDEX "alarms_next" ON "alarms" USING btree ("next_at");--> statement-breakpoint
CREATE INDEX "client_traffic_at" ON "client_traffic" USING btree ("span","at");--> statement-breakpoint
CREATE INDEX "device_sign_ins_expiry" ON "device_sign_ins" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "entries_account" ON "entries" USING btree ("account","at","posting");--> statement-breakpoint
CREATE INDEX "failures_host" ON "failures" USING btree ("host_id","at");--> statement-breakpoint
CREATE INDEX "gifts_user" ON "gifts" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "host_locks_at" ON "host_locks" USING btree ("at");--> statement-breakpoint
CREATE INDEX "host_tokens_owner" ON "host_tokens" USING btree ("owner_id");--> statement-breakpoint
CREATE INDEX "host_traffic_at" ON "host_traffic" USING btree ("span","at");--> statement-breakpoint
CREATE UNIQUE INDEX "hosts_machine" ON "hosts" USING btree ("owner_id","machine");--> statement-breakpoint
CREATE INDEX "hosts_judged" ON "hosts" USING btree ("judged_at");--> statement-breakpoint
CREATE INDEX "keys_user" ON "keys" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE INDEX "links_hub" ON "links" USING btree ("hub_id");--> statement-breakpoint
CREATE UNIQUE INDEX "logins_subject" ON "logins" USING btree ("provider","subject");--> statement-breakpoint
CREATE INDEX "logins_user" ON "logins" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "mails_next" ON "mails" USING btree ("next_at");--> statement-breakpoint
CREATE INDEX "mails_recipient" ON "mails" USING btree ("recipient");--> statement-breakpoint
CREATE INDEX "network_sightings_at" ON "network_sightings" USING btree ("at");--> statement-breakpoint
CREATE INDEX "networks_state" ON "networks" USING btree ("state");--> statement-breakpoint
CREATE INDEX "networks_probed" ON "networks" USING btree ("probed_at");--> statement-breakpoint
CREATE INDEX "notices_host" ON "notices" USING btree ("host_id","at");--> statement-breakpoint
CREATE INDEX "notices_owner" ON "notices" USING btree ("owner_id","at");--> statement-breakpoint
CREATE INDEX "onces_request" ON "onces" USING btree ("request_id");--> statement-breakpoint
CREATE INDEX "onces_expires" ON "onces" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "onces_running" ON "onces" USING btree ("hub_id") WHERE "onces"."state" = 'running';--> statement-breakpoint
CREATE INDEX "owner_traffic_at" ON "owner_traffic" USING btree ("span","at");--> statement-breakpoint
CREATE INDEX "recovery_codes_user" ON "recovery_codes" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "reports_state" ON "reports" USING btree ("state","id");--> statement-breakpoint
CREATE INDEX "requests_user" ON "requests" USING btree ("user_id","at");--> statement-breakpoint
CREATE INDEX "requests_host" ON "requests" USING btree ("host_id","at");--> statement-breakpoint
CREATE INDEX "requests_undelivered" ON "requests" USING btree ("hub_id") WHERE not "requests"."delivered";--> statement-breakpoint
CREATE INDEX "requests_at" ON "requests" USING btree ("at");--> statement-breakpoint
CREATE INDEX "requests_lost" ON "requests" USING btree ("ended_at") WHERE "requests"."state" = 'lost';--> statement-breakpoint
CREATE INDEX "sessions_user" ON "sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "sessions_seen" ON "sessions" USING btree ("seen_at");--> statement-breakpoint
CREATE INDEX "tellings_day" ON "tellings" USING btree ("day");--> statement-breakpoint
CREATE INDEX "tickets_user" ON "tickets" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "tickets_expiry" ON "tickets" USING btree ("expires_at");