// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Copies what passes a port into rings, and lets it pass.
 *
 * One record a frame, whatever the frame: its beginning, or all of it (up to 4 KiB) where it looks
 * like a handshake or tells a name. A frame whose record finds no room is counted as lost, by port
 * and direction; nothing else is counted here. What a frame looks like is decided from that frame
 * alone; the one thing remembered is where a TLS handshake goes on in the next segment.
 *
 * A call costs much here (returns are guarded against speculation on most machines), so what every
 * frame needs is inline, and read from the packet at fixed offsets; what few need stands apart.
 *
 * struct record and struct position are read in src/live/rings.rs, struct account in
 * src/live/accounts.rs.
 */
#include "kernel.h"

char terms[] SEC("license") = "Dual MIT/GPL";

#define PREFIX 232 /* of a frame that tells nothing by itself */
#define WHOLE 4096 /* of one that does */

struct record {
	u64 monotonic_ns;
	u32 port; /* ifindex, and EGRESS */
	u32 len;  /* of the frame, without a tag that stands apart */
	u16 captured; /* bytes of data: all that fit, or 0 where they could not be read */
	u16 segments;
	u16 vlan_tci;
	u16 vlan_proto; /* 0: no tag stands apart; else in network order */
	u8 data[];      /* room for len bytes, or for as many as this kind of record holds */
};

#define EGRESS 0x80000000u

/* The two ports of ghost-fast; set before loading. */
const volatile u32 wire_a = 0;
const volatile u32 wire_b = 0;

/* The rings: positions in one map, bytes in two others, all read through mapped memory. CPU c
 * writes plain records to ring c, telling ones to ring c + rings (where there are more CPUs than
 * rings, they share). A ring is a power of two of chunks; a record begins in one and may reach into
 * its slack, so that none is ever split. The next begins behind it, at a multiple of 8.
 */
#define CHUNK 65536
#define SLACK 4160

struct chunk {
	u8 bytes[CHUNK + SLACK];
};
struct {
	uint_(type, MAP_ARRAY);
	uint_(max_entries, 1);
	uint_(map_flags, MAP_F_MMAPABLE);
	type_(key, u32);
	type_(value, struct chunk);
} ghost_plain SEC(".maps"), ghost_telling SEC(".maps");

struct position {
	u64 tail; /* read up to here; written by the reader alone */
	u64 unused[7];
	u64 head; /* written up to here; odd while a record is being written */
	u64 unused_too[7];
};
struct {
	uint_(type, MAP_ARRAY);
	uint_(max_entries, 2);
	uint_(map_flags, MAP_F_MMAPABLE);
	type_(key, u32);
	type_(value, struct position);
} ghost_heads SEC(".maps");

/* Set before loading. */
const volatile u32 rings = 1;
const volatile u32 plain_chunks = 1;
const volatile u32 telling_chunks = 1;
/* A processor whose stores become visible in order needs no barrier. */
const volatile u32 stores_in_order = 0;

/* Which account a port's losses go to. */
struct {
	uint_(type, MAP_HASH);
	uint_(max_entries, 1024);
	type_(key, u32);
	type_(value, u32);
} ghost_ports SEC(".maps");

struct account {
	u32 port;  /* written by the helper, as is... */
	u32 state; /* ...what became of the attachment */
	u64 lost;
	u64 lost_segments;
	u64 lost_bytes;
	u64 unused[4];
};
struct {
	uint_(type, MAP_ARRAY);
	uint_(max_entries, 1025); /* account 0: of a port that nobody entered */
	uint_(map_flags, MAP_F_MMAPABLE);
	type_(key, u32);
	type_(value, struct account);
} ghost_accounts SEC(".maps");

/* TLS handshakes that go on in the next segment. */
struct unfinished {
	u32 stream;
	u32 seq;
	u32 left;
	u32 unused;
};
#define UNFINISHED 4096
struct {
	uint_(type, MAP_ARRAY);
	uint_(max_entries, UNFINISHED);
	type_(key, u32);
	type_(value, struct unfinished);
} ghost_hellos SEC(".maps");

/* Until then such a handshake may go on; a segment is looked up only before. */
static volatile u64 hellos_until_ns;
#define HELLO_NS 2000000000ull

#define be16(p) __builtin_bswap16(*(const u16 *)(p))
#define be32(p) __builtin_bswap32(*(const u32 *)(p))

enum { ETH_IP4 = 0x0800, ETH_ARP = 0x0806, ETH_IP6 = 0x86dd, ETH_PPPOE = 0x8864 };
enum { ETH_LLDP = 0x88cc, ETH_VLAN = 0x8100, ETH_QINQ = 0x88a8 };
enum { TCP = 6, UDP = 17 };

/* Where a transport header and its payload begin, and how long the payload is, in one register. */
typedef u64 place;
#define PLACE(transport, payload, bytes) ((u64)(bytes) << 32 | (u64)(payload) << 16 | (transport))
#define TRANSPORT(place) ((u32)(place) & 0xffff)
#define PAYLOAD(place) ((u32)(place) >> 16)
#define BYTES(place) ((u32)((place) >> 32))

/* The first four bytes of a message in clear text, of streams and of datagrams. */
INLINE int begins_like_text(u32 word)
{
#define W(a, b, c, d) ((u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
	/* Most begin with no capital letter, and are told apart by this alone. */
	if ((word >> 24) - 'A' > 'Z' - 'A')
		return word == W(0x13, 'B', 'i', 't');
	switch (word) {
	case W('G', 'E', 'T', ' '):
	case W('P', 'O', 'S', 'T'):
	case W('H', 'E', 'A', 'D'):
	case W('P', 'U', 'T', ' '):
	case W('D', 'E', 'L', 'E'):
	case W('O', 'P', 'T', 'I'): /* HTTP, RTSP and SIP */
	case W('P', 'A', 'T', 'C'):
	case W('C', 'O', 'N', 'N'):
	case W('T', 'R', 'A', 'C'):
	case W('P', 'R', 'O', 'P'):
	case W('P', 'R', 'I', ' '): /* HTTP/2 */
	case W('H', 'T', 'T', 'P'):
	case W('R', 'T', 'S', 'P'):
	case W('D', 'E', 'S', 'C'):
	case W('S', 'E', 'T', 'U'):
	case W('S', 'I', 'P', '/'):
	case W('I', 'N', 'V', 'I'):
	case W('R', 'E', 'G', 'I'):
	case W('S', 'U', 'B', 'S'):
	case W('N', 'O', 'T', 'I'): /* SIP and SSDP */
	case W('M', '-', 'S', 'E'):
	case W('M', 'E', 'S', 'S'):
	case W('B', 'Y', 'E', ' '):
	case W('C', 'A', 'N', 'C'):
	case W('S', 'S', 'H', '-'):
	case W('E', 'H', 'L', 'O'):
	case W('H', 'E', 'L', 'O'):
	case W('S', 'T', 'A', 'R'): /* STARTTLS */
		return 1;
	}
	return 0;
#undef W
}

#define GREETS_MAX 6697
/* Small messages to or from these ports greet, ask and answer; large ones are contents. */
INLINE int greets(u32 port)
{
	if (port > GREETS_MAX)
		return 0;
	switch (port) {
	case 21:
	case 23:
	case 25:
	case 110:
	case 119:
	case 143:
	case 389:
	case 587:
	case 873:
	case 1080:
	case 1433:
	case 1521:
	case 1723:
	case 1883:
	case 3268:
	case 3306:
	case 5222:
	case 5269:
	case 5432:
	case 5900:
	case 6667:
	case 6697:
		return 1;
	}
	return 0;
}

#define NAMES_MAX 5355
/* A datagram to or from one of these tells names, or how a host was set up. */
INLINE int names_by_port(u32 port)
{
	switch (port) {
	case 53:
	case 67:
	case 68:
	case 88:
	case 137:
	case 138:
	case 389:
	case 546:
	case 547:
	case 1900:
	case 3702:
	case 5060:
	case 5353:
	case 5355:
		return 1;
	}
	return 0;
}

/* What names a stream: the eight bytes before its ports (the addresses of IPv4, the half of one of
 * IPv6) and the ports; and its sequence number. A hash that meets another's costs a record of the
 * wrong length, no more. */
struct stream {
	u32 before[2];
	u32 ports;
	u32 seq;
};

INLINE u32 stream_hash(const struct stream *stream)
{
	u32 hash = stream->before[0] * 0x9e3779b1u;

	hash = (hash ^ stream->before[1]) * 0x85ebca6bu;
	hash = (hash ^ stream->ports) * 0xc2b2ae35u;
	return hash ^ hash >> 15;
}

/* A handshake record of TLS that may not end in this segment: marks where it goes on. */
APART int remember_hello(struct __sk_buff *skb, place at, u32 kind, u32 record, u32 message)
{
	struct stream stream;
	struct unfinished *entry;
	u32 wanted = message + 9, hash, slot;

	if (kind != 1) {
		/* A server's goes on to its certificates, where the next record is in clear too. */
		u8 next = 0;
		wanted = record + 5;
		if (wanted < BYTES(at)) {
			if (load_bytes(skb, PAYLOAD(at) + wanted, &next, 1) || next != 0x16)
				return 0;
		} else if (kind != 2 && wanted == BYTES(at)) {
			return 0;
		}
		wanted = WHOLE;
	}
	if (wanted > WHOLE)
		wanted = WHOLE;
	if (wanted <= BYTES(at) || load_bytes(skb, TRANSPORT(at) - 8, &stream, sizeof(stream)))
		return 0;
	hash = stream_hash(&stream);
	slot = hash % UNFINISHED;
	entry = map_lookup(&ghost_hellos, &slot);
	if (!entry)
		return 0;
	entry->stream = hash;
	entry->seq = __builtin_bswap32(stream.seq) + BYTES(at);
	entry->left = wanted - BYTES(at);
	hellos_until_ns = ktime_ns() + HELLO_NS;
	return 0;
}

/* Is this the next segment of such a handshake? */
APART int goes_on(struct __sk_buff *skb, place at)
{
	struct stream stream;
	struct unfinished *entry;
	u32 hash, slot;

	if (ktime_ns() > hellos_until_ns) {
		hellos_until_ns = 0;
		return 0;
	}
	if (load_bytes(skb, TRANSPORT(at) - 8, &stream, sizeof(stream)))
		return 0;
	hash = stream_hash(&stream);
	slot = hash % UNFINISHED;
	entry = map_lookup(&ghost_hellos, &slot);
	if (!entry || entry->left == 0 || entry->stream != hash)
		return 0;
	if (entry->seq != __builtin_bswap32(stream.seq))
		return 0;
	entry->seq += BYTES(at);
	entry->left = entry->left > BYTES(at) ? entry->left - BYTES(at) : 0;
	return 1;
}

/* Does a segment with this beginning (`first` eight bytes, `then` four, as they lie) tell
 * something? */
INLINE int tcp_tells(struct __sk_buff *skb, place at, u32 ports, u64 first, u32 then)
{
	u32 a = __builtin_bswap32((u32)first), b = __builtin_bswap32((u32)(first >> 32));
	u32 low = __builtin_bswap16((u16)ports), high = __builtin_bswap16((u16)(ports >> 16));

	/* A handshake record of SSL 3.0 to TLS 1.3 whose first message is one in clear. */
	if (a >> 16 == 0x1603 && (a >> 8 & 0xff) <= 4 && (b >> 16 & 0xff) <= 16) {
		u32 record = (a & 0xff) << 8 | b >> 24;
		u32 message = (b & 0xffff) << 8 | (then & 0xff);
		remember_hello(skb, at, b >> 16 & 0xff, record, message);
		return 1;
	}
	if (low > high)
		low = high;
	if (low == 53 || low == 88 || begins_like_text(a))
		return 1;
	if (BYTES(at) <= 512 && greets(low))
		return 1;
	if (low == 445 || low == 139) {
		/* SMB, below a length: negotiation, session and tree; not what is in files. */
		if (b == 0xff534d42) {
			u32 command = then & 0xff;
			return command == 0x72 || command == 0x73 || command == 0x75;
		}
		if (b == 0xfe534d42) {
			u16 command = 0xffff;
			load_bytes(skb, PAYLOAD(at) + 16, &command, 2);
			return __builtin_bswap16(command) >> 8 <= 3;
		}
		return a >> 24 == 0x81; /* a NetBIOS session request */
	}
	if (low == 3389 && a >> 16 == 0x0300 && BYTES(at) <= 1024)
		return 1;
	return hellos_until_ns && goes_on(skb, at);
}

/* The same of a datagram. */
INLINE int udp_tells(place at, u32 ports, u64 first, u32 then)
{
	u32 a = __builtin_bswap32((u32)first), b = __builtin_bswap32((u32)(first >> 32));
	u32 from = __builtin_bswap16((u16)ports), to = __builtin_bswap16((u16)(ports >> 16));

	if ((from <= NAMES_MAX && names_by_port(from)) || (to <= NAMES_MAX && names_by_port(to)))
		return 1;
	if (BYTES(at) < 12)
		return 0;
	if (a >> 30 == 3) {
		/* QUIC's long header: a version that exists, or any one that fills a first datagram. */
		u32 version = a << 8 | b >> 24;
		if (version == 1 || version == 0x6b3343cf || version == 0 ||
		    version >> 8 == 0xff0000 || version >> 24 == 'Q' || BYTES(at) >= 1200)
			return 1;
	}
	if (a >> 16 == 0x16fe) /* a handshake of DTLS */
		return 1;
	if ((a >> 24 == 0x0d || a >> 24 == 0x09) && (then >> 8 & 0xff) == 'Q') /* Google's QUIC */
		return 1;
	return begins_like_text(a);
}

/* The payload's beginning where headers are at any place, or not in one piece. `left`: bytes from
 * the transport header on. */
APART int transport_tells(struct __sk_buff *skb, u32 proto, u32 at, u32 left)
{
	u8 head[16];
	u32 words[3] = {};
	u32 bytes = 8;

	if (proto == TCP) {
		if (left < 20 || load_bytes(skb, at, head, 16))
			return 0;
		bytes = (head[12] >> 4) * 4;
	} else if (proto != UDP || left < 8 || load_bytes(skb, at, head, 8)) {
		return 0;
	}
	if (bytes >= left)
		return 0;
	left -= bytes;
	if (left >= 12)
		load_bytes(skb, at + bytes, words, 12);
	else if (left >= 8)
		load_bytes(skb, at + bytes, words, 8);
	else if (left >= 4)
		load_bytes(skb, at + bytes, words, 4);
	if (proto == TCP)
		return tcp_tells(skb, PLACE(at, at + bytes, left), *(u32 *)head,
				 (u64)words[1] << 32 | words[0], words[2]);
	return udp_tells(PLACE(at, at + bytes, left), *(u32 *)head, (u64)words[1] << 32 | words[0],
			 words[2]);
}

APART int ip4_tells(struct __sk_buff *skb, u32 at)
{
	u8 head[20];
	u32 len = skb->len, bytes, total;

	if (load_bytes(skb, at, head, 20))
		return 0;
	bytes = (head[0] & 15) * 4;
	total = be16(head + 2);
	/* A later fragment has no ports. A length of 0 is a super-frame's. */
	if (be16(head + 6) & 0x1fff)
		return 0;
	if (total == 0 || total > len - at)
		total = len - at;
	if (bytes < 20 || total < bytes)
		return 0;
	return transport_tells(skb, head[9], at + bytes, total - bytes);
}

APART int ip6_tells(struct __sk_buff *skb, u32 at)
{
	u8 head[8];
	u32 len = skb->len, total, next;

	if (load_bytes(skb, at, head, 8))
		return 0;
	total = be16(head + 4);
	next = head[6];
	at += 40;
	if (total == 0 || total + at > len)
		total = len;
	else
		total += at;
	for (int i = 0; i < 3; i++) {
		u8 extension[4];
		/* Hop by hop, routing, destination; a first fragment. */
		if (next != 0 && next != 43 && next != 60 && next != 44)
			break;
		if (load_bytes(skb, at, extension, 4))
			return 0;
		if (next == 44 && be16(extension + 2) & 0xfff8)
			return 0;
		at += next == 44 ? 8 : 8 + extension[1] * 8;
		next = extension[0];
	}
	return at < total && transport_tells(skb, next, at, total - at);
}

/* Whatever stands between Ethernet and the transport, read with care instead of speed. */
APART int slowly_tells(struct __sk_buff *skb)
{
	u32 at = 14;
	u16 type = 0;

	if (load_bytes(skb, 12, &type, 2))
		return 0;
	for (int tag = 0; tag < 2; tag++) {
		if (type != __builtin_bswap16(ETH_VLAN) && type != __builtin_bswap16(ETH_QINQ))
			break;
		if (load_bytes(skb, at + 2, &type, 2))
			return 0;
		at += 4;
	}
	if (type == __builtin_bswap16(ETH_PPPOE)) {
		if (load_bytes(skb, at + 6, &type, 2))
			return 0;
		at += 8;
		if (type == __builtin_bswap16(0x0021))
			return ip4_tells(skb, at);
		return type == __builtin_bswap16(0x0057) && ip6_tells(skb, at);
	}
	if (type == __builtin_bswap16(ETH_IP4))
		return ip4_tells(skb, at);
	return type == __builtin_bswap16(ETH_IP6) && ip6_tells(skb, at);
}

#define FIRST(p) (*(const u64 *)(p))
#define THEN(p) (*(const u32 *)((p) + 8))

/* Does this frame look like a handshake, or tell a name? */
INLINE int tells(struct __sk_buff *skb)
{
	const u8 *data = (const u8 *)(long)skb->data;
	const u8 *end = (const u8 *)(long)skb->data_end;
	u32 type, bytes;

	if (unlikely(data + 54 > end))
		return slowly_tells(skb);
	type = be16(data + 12);
	if (type == ETH_IP4 && data[14] == 0x45 && !(be16(data + 20) & 0x3fff)) {
		bytes = be16(data + 16) + 14;
		if (unlikely(bytes > skb->len || bytes == 14))
			bytes = skb->len;
		if (data[23] == UDP)
			return bytes > 42 && udp_tells(PLACE(34, 42, bytes - 42),
						       *(const u32 *)(data + 34),
						       FIRST(data + 42), THEN(data + 42));
		if (data[23] != TCP)
			return 0;
		if (data[46] >> 4 == 5) {
			if (bytes <= 54)
				return 0;
			if (data + 66 <= end)
				return tcp_tells(skb, PLACE(34, 54, bytes - 54),
						 *(const u32 *)(data + 34), FIRST(data + 54),
						 THEN(data + 54));
		} else if (data[46] >> 4 == 8) {
			if (bytes <= 66)
				return 0;
			if (data + 78 <= end)
				return tcp_tells(skb, PLACE(34, 66, bytes - 66),
						 *(const u32 *)(data + 34), FIRST(data + 66),
						 THEN(data + 66));
		}
		return ip4_tells(skb, 14);
	}
	if (type == ETH_IP6 && data + 98 <= end) {
		bytes = be16(data + 18) + 54;
		if (unlikely(bytes > skb->len || bytes == 54))
			bytes = skb->len;
		if (data[20] == UDP)
			return bytes > 62 && udp_tells(PLACE(54, 62, bytes - 62),
						       *(const u32 *)(data + 54),
						       FIRST(data + 62), THEN(data + 62));
		if (data[20] == TCP && data[66] >> 4 == 8)
			return bytes > 86 && tcp_tells(skb, PLACE(54, 86, bytes - 86),
						       *(const u32 *)(data + 54),
						       FIRST(data + 86), THEN(data + 86));
		return ip6_tells(skb, 14);
	}
	if (type == ETH_LLDP)
		return 1;
	return type != ETH_ARP && slowly_tells(skb);
}

INLINE u32 segments_of(struct __sk_buff *skb)
{
	u32 segments = skb->gso_segs, size = skb->gso_size;

	if (unlikely(segments == 0 && size != 0))
		segments = (skb->len + size - 1) / size;
	return segments ? segments : 1;
}

APART int lost(struct __sk_buff *skb, u32 direction)
{
	u32 none = 0, port = skb->ifindex | direction, *entered;
	struct account *account;

	entered = map_lookup(&ghost_ports, &port);
	account = map_lookup(&ghost_accounts, entered ? entered : &none);
	if (!account)
		return 0;
	__sync_fetch_and_add(&account->lost, 1);
	__sync_fetch_and_add(&account->lost_segments, segments_of(skb));
	__sync_fetch_and_add(&account->lost_bytes, skb->len + (skb->vlan_present ? 4 : 0));
	return 0;
}

/* Where the bytes lie in one piece, as they do but for what was put together from pages, words at
 * fixed places cost a third of what load_bytes does. */
INLINE int copy_bytes(struct __sk_buff *skb, u8 *to, u32 bytes)
{
	const u8 *data = (const u8 *)(long)skb->data;
	const u8 *end = (const u8 *)(long)skb->data_end;

#define COPY8(from, until)                                                                         \
	_Pragma("unroll") for (int i = (from); i < (until); i += 8)                                \
		*(u64 *)(to + i) = *(const u64 *)(data + i)
	if (bytes == PREFIX && data + PREFIX <= end) {
		COPY8(0, PREFIX);
		return 1;
	}
	if (bytes == 60 && data + 60 <= end) {
		COPY8(0, 56);
		*(u32 *)(to + 56) = *(const u32 *)(data + 56);
		return 1;
	}
	if (bytes == 66 && data + 66 <= end) {
		COPY8(0, 64);
		*(u16 *)(to + 64) = *(const u16 *)(data + 64);
		return 1;
	}
	return bytes > 0 && bytes <= PREFIX && !load_bytes(skb, 0, to, bytes);
#undef COPY8
}

/* Writes a record of the frame's first bytes; 0 where there is no room. What can be read again
 * from the context is, rather than kept: registers are few. */
INLINE int copy(struct __sk_buff *skb, u32 direction, u32 telling)
{
	volatile struct __sk_buff *fresh = skb;
	u32 cpu = this_cpu(), index, chunks = telling ? telling_chunks : plain_chunks, bytes;
	const u32 most = telling ? WHOLE : PREFIX;
	struct position *at;
	struct chunk *chunk;
	struct record *r;
	u64 head, size;

	if (unlikely(cpu >= rings))
		cpu %= rings;
	index = telling ? cpu + rings : cpu;
	at = map_lookup(&ghost_heads, &index);
	if (!at)
		return 0;
	bytes = fresh->len;
	if (bytes > most)
		bytes = most;
	size = (sizeof(struct record) + bytes + 7) & ~7ull;
	/* No two programs write to a ring at once where each CPU has its own, since both ways of a
	 * frame are walked with soft interrupts off. Where they do, the second finds no room. */
	head = *(volatile u64 *)&at->head & ~1ull;
	if (head - *(volatile u64 *)&at->tail > (u64)chunks * CHUNK - size)
		return 0;
	if (__sync_val_compare_and_swap(&at->head, head, head | 1) != head)
		return 0;
	cpu = this_cpu();
	if (unlikely(cpu >= rings))
		cpu %= rings;
	index = cpu * chunks + ((head / CHUNK) & (chunks - 1));
	chunk = telling ? map_lookup(&ghost_telling, &index) : map_lookup(&ghost_plain, &index);
	if (!chunk) {
		*(volatile u64 *)&at->head = head;
		return 0;
	}
	r = (struct record *)(chunk->bytes + (head % CHUNK & ~7u));
	r->monotonic_ns = ktime_ns();
	r->port = fresh->ifindex | direction;
	bytes = fresh->len;
	r->len = bytes;
	if (bytes > most)
		bytes = most;
	r->captured = bytes;
	r->segments = segments_of(skb);
	*(u32 *)&r->vlan_tci = 0;
	if (unlikely(fresh->vlan_present)) {
		r->vlan_tci = fresh->vlan_tci;
		r->vlan_proto = fresh->vlan_proto;
	}
	if (telling ? bytes == 0 || bytes > WHOLE || load_bytes(skb, 0, r->data, bytes)
		    : !copy_bytes(skb, r->data, bytes))
		r->captured = 0;
	bytes = fresh->len;
	if (bytes > most)
		bytes = most;
	head += (sizeof(struct record) + bytes + 7) & ~7ull;
	if (stores_in_order)
		*(volatile u64 *)&at->head = head;
	else
		__sync_lock_test_and_set(&at->head, head);
	return 1;
}

APART int copy_telling(struct __sk_buff *skb, u32 direction)
{
	return copy(skb, direction, 1);
}

INLINE void tap(struct __sk_buff *skb, u32 direction)
{
	if (tells(skb) && copy_telling(skb, direction))
		return;
	if (!copy(skb, direction, 0))
		lost(skb, direction);
}

SEC("classifier") int ghost_ingress(struct __sk_buff *skb)
{
	tap(skb, 0);
	return TCX_NEXT;
}

SEC("classifier") int ghost_egress(struct __sk_buff *skb)
{
	tap(skb, EGRESS);
	return TCX_NEXT;
}

SEC("classifier") int ghost_fast(struct __sk_buff *skb)
{
	tap(skb, 0);
	return redirect(skb->ifindex == wire_a ? wire_b : wire_a, 0);
}
