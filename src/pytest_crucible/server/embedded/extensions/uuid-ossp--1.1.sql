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
RETURN gen_random_uuid();

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

-- Bodies in this form name functions by identity, so that they survive a change of schema or search path.
CREATE FUNCTION uuid_generate_v1() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
RETURN uuid_generate_v1mc();

-- The UUID of a hash: its first 16 bytes, with the version and the variant put in.
CREATE FUNCTION uuid_ossp_named(hash bytea, version int) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(set_byte(set_byte(substr(hash, 1, 16), 6, (get_byte(hash, 6) & 15) | (version << 4)),
    8, (get_byte(hash, 8) & 63) | 128), 'hex')::uuid;

-- FIPS 180-4, section 6.1; words of 32 bits are kept in bigint, which has no sign to mind there.
CREATE FUNCTION uuid_ossp_sha1(message bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
    word constant bigint := 4294967295;
    padded constant bytea := message || '\x80'
        || decode(repeat('00', mod(119 - mod(length(message), 64), 64)), 'hex') || int8send(length(message)::bigint * 8);
    h0 bigint := 1732584193; h1 bigint := 4023233417; h2 bigint := 2562383102; h3 bigint := 271733878;
    h4 bigint := 3285377520;
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; t bigint;
    w bigint[];
BEGIN
    FOR block IN 0 .. length(padded) / 64 - 1 LOOP
        FOR i IN 0 .. 15 LOOP
            w[i] := ('x' || encode(substr(padded, block * 64 + i * 4 + 1, 4), 'hex'))::bit(32)::bigint;
        END LOOP;
        FOR i IN 16 .. 79 LOOP
            t := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
            w[i] := ((t << 1) | (t >> 31)) & word;
        END LOOP;
        a := h0; b := h1; c := h2; d := h3; e := h4;
        FOR i IN 0 .. 79 LOOP
            CASE i / 20
                WHEN 0 THEN f := (b & c) | ((word # b) & d); k := 1518500249;
                WHEN 1 THEN f := b # c # d; k := 1859775393;
                WHEN 2 THEN f := (b & c) | (b & d) | (c & d); k := 2400959708;
                ELSE f := b # c # d; k := 3395469782;
            END CASE;
            t := ((((a << 5) | (a >> 27)) & word) + f + e + k + w[i]) & word;
            e := d; d := c; c := ((b << 30) | (b >> 2)) & word; b := a; a := t;
        END LOOP;
        h0 := (h0 + a) & word; h1 := (h1 + b) & word; h2 := (h2 + c) & word; h3 := (h3 + d) & word;
        h4 := (h4 + e) & word;
    END LOOP;
    RETURN decode(lpad(to_hex(h0), 8, '0') || lpad(to_hex(h1), 8, '0') || lpad(to_hex(h2), 8, '0')
        || lpad(to_hex(h3), 8, '0') || lpad(to_hex(h4), 8, '0'), 'hex');
END $$;

CREATE FUNCTION uuid_generate_v3(namespace uuid, name text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN uuid_ossp_named(decode(md5(uuid_send(namespace) || convert_to(name, getdatabaseencoding())), 'hex'), 3);

CREATE FUNCTION uuid_generate_v5(namespace uuid, name text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN uuid_ossp_named(uuid_ossp_sha1(uuid_send(namespace) || convert_to(name, getdatabaseencoding())), 5);
