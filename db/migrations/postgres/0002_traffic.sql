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
	CONSTRAINT "client_traffic_user_id_span_at_key_id_variant_pk" PRIMARY KEY("user_id","span","at","key_id","variant")
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
	CONSTRAINT "host_traffic_host_id_span_at_variant_pk" PRIMARY KEY("host_id","span","at","variant")
);
--> statement-breakpoint
CREATE TABLE "traffic_until" (
	"span" text PRIMARY KEY NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "client_traffic_at" ON "client_traffic" USING btree ("span","at");--> statement-breakpoint
CREATE INDEX "host_traffic_at" ON "host_traffic" USING btree ("span","at");--> statement-breakpoint
CREATE INDEX "requests_lost" ON "requests" USING btree ("ended_at") WHERE "requests"."state" = 'lost';