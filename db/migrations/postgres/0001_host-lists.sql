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
	CONSTRAINT "owner_traffic_owner_id_span_at_variant_pk" PRIMARY KEY("owner_id","span","at","variant")
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
ALTER TABLE "hosts" ADD COLUMN "cards" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "tenures" ADD CONSTRAINT "tenures_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "owner_traffic_at" ON "owner_traffic" USING btree ("span","at");--> statement-breakpoint
INSERT INTO owner_traffic (owner_id, span, at, variant, completed, cancelled, failed, lost, moved, prompt_tokens, completion_tokens, cost, host_share, decode_ms, decoded_tokens)
SELECT hosts.owner_id, span, at, variant, sum(completed), sum(cancelled), sum(failed), sum(lost), sum(moved), sum(prompt_tokens), sum(completion_tokens), sum(cost), sum(host_share), sum(decode_ms), sum(decoded_tokens)
FROM host_traffic JOIN hosts ON hosts.id = host_traffic.host_id GROUP BY hosts.owner_id, span, at, variant;
