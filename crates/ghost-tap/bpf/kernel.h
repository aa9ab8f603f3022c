/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the programs need of the kernel's stable interface (uapi/linux/bpf.h), by number, so that
 * no kernel header is needed to build them. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))
#define unlikely(x) __builtin_expect(!!(x), 0)

/* A map as its BTF type tells it. */
#define uint_(name, value) int(*name)[value]
#define type_(name, value) typeof(value) *name

enum { MAP_HASH = 1, MAP_ARRAY = 2, MAP_ARRAY_OF_MAPS = 12, MAP_RINGBUF = 27 };
enum { MAP_F_MMAPABLE = 1 << 10 };
enum { RINGBUF_NO_WAKEUP = 1 };
enum { TCX_NEXT = -1, TCX_DROP = 2 };

/* The context of a program on the traffic control path; its tail is not used. */
struct __sk_buff {
	u32 len;
	u32 pkt_type;
	u32 mark;
	u32 queue_mapping;
	u32 protocol;
	u32 vlan_present;
	u32 vlan_tci;
	u32 vlan_proto;
	u32 priority;
	u32 ingress_ifindex;
	u32 ifindex;
	u32 tc_index;
	u32 cb[5];
	u32 hash;
	u32 tc_classid;
	u32 data;
	u32 data_end;
	u32 napi_id;
	u32 family;
	u32 remote_ip4;
	u32 local_ip4;
	u32 remote_ip6[4];
	u32 local_ip6[4];
	u32 remote_port;
	u32 local_port;
	u32 data_meta;
	u64 flow_keys __attribute__((aligned(8)));
	u64 tstamp;
	u32 wire_len;
	u32 gso_segs;
	u64 sk __attribute__((aligned(8)));
	u32 gso_size;
};

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static u64 (*const ktime_ns)(void) = (void *)5;
static u32 (*const this_cpu)(void) = (void *)8;
static long (*const redirect)(u32 ifindex, u64 flags) = (void *)23;
static long (*const load_bytes)(const void *skb, u32 from, void *to, u32 bytes) = (void *)26;
static void *(*const ring_reserve)(void *ring, u64 bytes, u64 flags) = (void *)131;
static void (*const ring_submit)(void *record, u64 flags) = (void *)132;
