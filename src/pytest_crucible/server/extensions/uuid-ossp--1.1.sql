/* A replacement for uuid-ossp, for builds of PostgreSQL that lack it.

   It covers every function of uuid-ossp 1.1:

   - uuid_nil, uuid_ns_dns, uuid_ns_url, uuid_ns_oid, uuid_ns_x500: the same values;
   - uuid_generate_v3, uuid_generate_v5: the same values; v5 computes SHA-1 in PL/pgSQL, which PostgreSQL does not
     bring, and takes a fraction of a millisecond;
   - uuid_generate_v4: random, from gen_random_uuid();
   - uuid_generate_v1, uuid_generate_v1mc: the time is true, but both have a random node with the multicast bit set, as
     only v1mc has in the original: the machine's network address is not known here. */

\echo Use "CREATE EXTENSION ""uuid-ossp""" to load this file. \quit

CREATE FUNCTION uuid_nil() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '00000000-0000-0000-0000-000000000000'::uuid;

CREATE FUNCTION uuid_ns_dns() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_ns_url() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_ns_oid() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_ns_x500() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
RETURN pg_catalog.gen_random_uuid();

CREATE FUNCTION uuid_generate_v1mc() RETURNS uuid LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
    -- 100 ns since 15 October 1582, when the Gregorian calendar began
    ticks bigint := (extract(epoch FROM clock_timestamp()) * 10000000)::bigint + 122192928000000000;
    random bytea := decode(replace(gen_random_uuid()::text, '-', ''), 'hex');
    digits text := lpad(to_hex(ticks), 16, '0');
BEGIN
    RETURN (substr(digits, 9, 8) || '-' || substr(digits, 5, 4) || '-1' || substr(digits, 2, 3) || '-'
        || encode(set_byte(substr(random, 9, 2), 0, (get_byte(random, 8) & 63) | 128), 'hex') || '-'
        || encode(set_byte(substr(random, 11, 6), 0, get_byte(random, 10) | 1), 'hex'))::uuid;
END $$;

CREATE FUNCTION uuid_generate_v1() RETURNS uuid LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN @extschema@.uuid_generate_v1mc();
END $$;

-- The UUID of a hash: its first 16 bytes, with the version and the variant put in.
CREATE FUNCTION uuid_ossp_named(hash bytea, version int) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(set_byte(set_byte(substr(hash, 1, 16), 6, (get_byte(hash, 6) & 15) | (version << 4)),
    8, (get_byte(hash, 8) & 63) | 128), 'hex')::uuid;
