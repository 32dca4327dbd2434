/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's interfaces as far as kmod/ uses them, in user space and for one
 * thread. All of linux/ and net/ that kmod/ includes leads here.
 *
 * They are as strict as the kernel's debug options, or stricter: what may sleep
 * does not do so under RCU, a lock is not taken twice, memory that was freed or is
 * not set shows, and a warning ends the program.
 */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Types, compiler */

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define S32_MAX		((s32)(U32_MAX >> 1))
#define U16_MAX		((u16)~0U)
#define U32_MAX		((u32)~0U)
#define U64_MAX		((u64)~0ULL)

#define __rcu
#define __percpu
#define __init
#define __exit
#define __net_init
#define __net_exit
#define __read_mostly
#define __ro_after_init
#define noinline	__attribute__((noinline))
#ifndef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#endif
#define noinline_for_stack noinline
#define __aligned(n)	__attribute__((aligned(n)))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define READ_ONCE(x)	(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))
#define smp_mb()	__sync_synchronize()
#define smp_wmb()	__sync_synchronize()
#define smp_rmb()	__sync_synchronize()
#define smp_store_release(p, v) WRITE_ONCE(*(p), v)
#define smp_load_acquire(p) READ_ONCE(*(p))
#define cmpxchg(p, old, new) __sync_val_compare_and_swap(p, old, new)

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define struct_size(p, member, count) \
	(sizeof(*(p)) + sizeof(*(p)->member) * (count))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BUILD_BUG_ON(c)	_Static_assert(!(c), #c)

#define min(a, b)	({ typeof(a) _a = (a); typeof(b) _b = (b); _a < _b ? _a : _b; })
#define max(a, b)	({ typeof(a) _a = (a); typeof(b) _b = (b); _a > _b ? _a : _b; })
#define min_t(t, a, b)	min((t)(a), (t)(b))
#define max_t(t, a, b)	max((t)(a), (t)(b))
#define ALIGN(x, a)	(((x) + (a) - 1) & ~((typeof(x))(a) - 1))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))

/* What a kernel would warn of is a fault. */
#define shim_bug(text) shim_bug_at(__FILE__, __LINE__, text)
__attribute__((noreturn)) void shim_bug_at(const char *file, int line, const char *text);
#define BUG_ON(c)	do { if (c) shim_bug(#c); } while (0)
#define WARN_ON(c)	({ bool _c = !!(c); if (_c) shim_bug(#c); _c; })
#define WARN_ON_ONCE(c)	WARN_ON(c)

/* The configuration: only what kmod/ asks for. */
#define CONFIG_64BIT	1
#define IS_ENABLED(option) (option)

/* Bits */

#define BIT(n)		(1UL << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define hweight8(x)	((unsigned int)__builtin_popcount((u8)(x)))
#define hweight64(x)	((unsigned int)__builtin_popcountll((u64)(x)))

static inline unsigned int __ffs64(u64 x)
{
	BUG_ON(!x); /* undefined in the kernel */
	return __builtin_ctzll(x);
}

static inline int fls64(u64 x) { return x ? 64 - __builtin_clzll(x) : 0; }

#define cpu_to_be64(x)	htobe64(x)
#define be64_to_cpu(x)	be64toh(x)
#define cpu_to_be32(x)	htobe32(x)
#define cpu_to_le32(x)	htole32(x)
#define be32_to_cpu(x)	be32toh(x)

u32 jhash(const void *key, u32 len, u32 seed);
static inline u32 jhash_2words(u32 a, u32 b, u32 seed)
{
	const u32 words[] = { a, b };

	return jhash(words, sizeof(words), seed);
}

/* Not random: a finding is to be found again. */
#define get_random_once(buffer, size) memset(buffer, 0x31, size)
#define get_random_bytes(buffer, size) memset(buffer, 0x31, size)
typedef struct { unsigned long key[2]; } hsiphash_key_t;
#define GOLDEN_RATIO_32	0x61C88647
#define order_base_2(n)	((n) > 1 ? 64 - __builtin_clzll((u64)(n) - 1) : 0)

/* Memory, slab.c */

typedef unsigned int gfp_t;
#define __GFP_DIRECT_RECLAIM	1U
#define __GFP_NOWARN		2U
#define __GFP_NOFAIL		4U
#define __GFP_RETRY_MAYFAIL	8U
#define __GFP_ZERO		32U
#define __GFP_ACCOUNT		64U
#define GFP_KERNEL		__GFP_DIRECT_RECLAIM
#define GFP_KERNEL_ACCOUNT	(GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_ATOMIC		0U

void *kmalloc(size_t size, gfp_t gfp);
void kfree(const void *p);
size_t kmalloc_size_roundup(size_t size);

#define SLAB_ACCOUNT	1U
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
				     unsigned int align, unsigned int flags,
				     void (*constructor)(void *));
void kmem_cache_destroy(struct kmem_cache *cache);
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp);
void kmem_cache_free(struct kmem_cache *cache, void *p);

static inline void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp | __GFP_ZERO);
}

static inline void *kmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : kmalloc(bytes, gfp);
}

static inline ssize_t strscpy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = 0;
	return len;
}

static inline void *kmemdup(const void *from, size_t size, gfp_t gfp)
{
	void *to = kmalloc(size, gfp);

	return to ? memcpy(to, from, size) : NULL;
}

#define kvmalloc(size, gfp) kmalloc(size, gfp)
#define kvfree(p)	kfree(p)

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
long si_mem_available(void);
unsigned long totalram_pages(void);

#define alloc_percpu_gfp(type, gfp) ((type *)kzalloc(sizeof(type), gfp))
#define alloc_percpu(type) alloc_percpu_gfp(type, GFP_KERNEL)
#define netdev_alloc_pcpu_stats(type) alloc_percpu(type)
#define free_percpu(p)	kfree(p)
#define get_cpu_ptr(p)	(p)
#define put_cpu_ptr(p)	((void)(p))
#define per_cpu_ptr(p, cpu) ((void)(cpu), (p))
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < 1; (cpu)++)

typedef struct { u64 value; } u64_stats_t;
struct u64_stats_sync { int none; };
#define this_cpu_ptr(p)	(p)
#define per_cpu_ptr(p, cpu) ((void)(cpu), (p))
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < 1; (cpu)++)
#define u64_stats_init(s) ((void)(s))
#define u64_stats_update_begin(s) ((void)(s))
#define u64_stats_update_end(s) ((void)(s))
#define u64_stats_inc(v) ((v)->value++)
#define u64_stats_read(v) ((v)->value)
#define u64_stats_fetch_begin(s) ((void)(s), 0U)
#define u64_stats_fetch_retry(s, start) ((void)(s), (void)(start), false)

/* Lists */

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name) { &(name), &(name) }
#define LIST_HEAD(name)	struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list->prev = list;
}

static inline void __list_add(struct list_head *new, struct list_head *prev,
			      struct list_head *next)
{
	/* as CONFIG_DEBUG_LIST */
	BUG_ON(prev->next != next || next->prev != prev || new == prev || new == next);
	new->prev = prev;
	new->next = next;
	prev->next = next->prev = new;
}

static inline void list_add(struct list_head *new, struct list_head *head)
{
	__list_add(new, head, head->next);
}

static inline void list_add_tail(struct list_head *new, struct list_head *head)
{
	__list_add(new, head->prev, head);
}

static inline void __list_del_entry(struct list_head *entry)
{
	BUG_ON(entry->prev->next != entry || entry->next->prev != entry);
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
}

static inline void list_del(struct list_head *entry)
{
	__list_del_entry(entry);
	entry->next = (void *)0x100;
	entry->prev = (void *)0x122;
}

static inline void list_del_init(struct list_head *entry)
{
	__list_del_entry(entry);
	INIT_LIST_HEAD(entry);
}

static inline void list_move_tail(struct list_head *entry, struct list_head *head)
{
	__list_del_entry(entry);
	list_add_tail(entry, head);
}

static inline void list_move(struct list_head *entry, struct list_head *head)
{
	__list_del_entry(entry);
	list_add(entry, head);
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline bool list_is_singular(const struct list_head *head)
{
	return !list_empty(head) && head->next == head->prev;
}

static inline void list_splice_init(struct list_head *from, struct list_head *to)
{
	while (!list_empty(from))
		list_move(from->prev, to);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_next_entry(pos, member) list_entry((pos)->member.next, typeof(*(pos)), member)
#define list_add_rcu(new, head) list_add(new, head)
#define list_del_rcu(entry) __list_del_entry(entry)
#define list_for_each_entry_rcu(pos, head, member, ...)			\
	list_for_each_entry(pos, head, member)
#define list_for_each_entry(pos, head, member)				\
	for (pos = list_first_entry(head, typeof(*pos), member);	\
	     &pos->member != (head); pos = list_next_entry(pos, member))
#define list_for_each_entry_safe(pos, n, head, member)			\
	for (pos = list_first_entry(head, typeof(*pos), member),	\
	     n = list_next_entry(pos, member);				\
	     &pos->member != (head); pos = n, n = list_next_entry(n, member))

/* Sorted trees: here, lists */

struct rb_node {
	struct rb_node *next; /* itself: in no tree */
};

struct rb_root {
	struct rb_node *first;
};

#define RB_ROOT		((struct rb_root){})
#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define RB_CLEAR_NODE(node) ((void)((node)->next = (node)))
#define RB_EMPTY_NODE(node) ((node)->next == (node))
#define RB_EMPTY_ROOT(root) (!(root)->first)

static inline struct rb_node *rb_find(const void *key, const struct rb_root *tree,
				      int (*cmp)(const void *key, const struct rb_node *))
{
	struct rb_node *node;

	for (node = tree->first; node; node = node->next)
		if (!cmp(key, node))
			return node;
	return NULL;
}

static inline struct rb_node *rb_find_add(struct rb_node *new, struct rb_root *tree,
					  int (*cmp)(struct rb_node *, const struct rb_node *))
{
	struct rb_node *node;

	for (node = tree->first; node; node = node->next)
		if (!cmp(new, node))
			return node;
	new->next = tree->first;
	tree->first = new;
	return NULL;
}

static inline void rb_erase(struct rb_node *node, struct rb_root *tree)
{
	struct rb_node **at;

	for (at = &tree->first; *at != node; at = &(*at)->next)
		BUG_ON(!*at);
	*at = node->next;
}

/* Errors in the place of pointers */

#define MAX_ERRNO	4095
#define ERR_PTR(err)	((void *)(long)(err))
#define PTR_ERR(ptr)	((long)(ptr))
#define IS_ERR(ptr)	((unsigned long)(ptr) >= (unsigned long)-MAX_ERRNO)
#define IS_ERR_OR_NULL(ptr) (!(ptr) || IS_ERR(ptr))

/* Locks, RCU, deferred work, time: sync.c */

struct mutex { bool held; };
void mutex_init(struct mutex *lock);
void mutex_lock(struct mutex *lock);
void mutex_unlock(struct mutex *lock);
#define lockdep_is_held(lock) ((lock)->held)
#define lockdep_assert_held(lock) BUG_ON(!(lock)->held)

typedef struct { bool held; } spinlock_t;
extern unsigned int shim_spin_depth;
#define spin_lock_init(l) ((void)((l)->held = false))
#define spin_lock(l)	do { BUG_ON((l)->held); (l)->held = true; shim_spin_depth++; } while (0)
#define spin_unlock(l)	do { BUG_ON(!(l)->held); (l)->held = false; shim_spin_depth--; } while (0)
#define spin_lock_bh(l)	spin_lock(l)
#define spin_unlock_bh(l) spin_unlock(l)

extern unsigned int shim_rcu_depth;
#define rcu_read_lock()	((void)shim_rcu_depth++)
#define rcu_read_unlock() do { BUG_ON(!shim_rcu_depth); shim_rcu_depth--; } while (0)
#define rcu_dereference_check(p, c) ({ BUG_ON(!shim_rcu_depth && !(c)); (p); })
#define rcu_dereference_protected(p, c) ({ BUG_ON(!(c)); (p); })
#define rcu_dereference(p) rcu_dereference_check(p, false)
#define RCU_INIT_POINTER(p, v) ((p) = (v))
#define rcu_access_pointer(p) (p)
#define rcu_assign_pointer(p, v) ((p) = (v))
#define RCU_INIT_POINTER(p, v) ((p) = (v))
#define might_sleep()	BUG_ON(shim_rcu_depth || shim_spin_depth)
#define synchronize_net() might_sleep()
#define cond_resched()	might_sleep()
#define prefetch(address)	__builtin_prefetch(address)
#define fatal_signal_pending(task) false
void rcu_barrier(void);

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));

/* As in the kernel, a function that is too small to be one is the place of @head in @p. */
#define kfree_rcu(p, head) \
	call_rcu(&(p)->head, (void (*)(struct rcu_head *))offsetof(typeof(*(p)), head))
#define kvfree_rcu(p, head) kfree_rcu(p, head)

struct work_struct;
typedef void (*work_func_t)(struct work_struct *work);
struct work_struct {
	work_func_t func;
	bool queued;
	struct work_struct *next;
};

struct rcu_work {
	struct work_struct work;
	struct rcu_head rcu;
};

struct delayed_work {
	struct work_struct work;
	unsigned long due;
	struct delayed_work *next;
};

struct workqueue_struct { int none; };
#define WQ_UNBOUND	0
struct workqueue_struct *alloc_workqueue(const char *name, int flags, int max);
void destroy_workqueue(struct workqueue_struct *wq);
void flush_workqueue(struct workqueue_struct *wq);
#define INIT_WORK(w, f)	((w)->func = (f), (w)->queued = false)
#define INIT_RCU_WORK(w, f) INIT_WORK(&(w)->work, f)
#define INIT_DELAYED_WORK(w, f) INIT_WORK(&(w)->work, f)
#define to_rcu_work(w)	container_of(w, struct rcu_work, work)
#define to_delayed_work(w) container_of(w, struct delayed_work, work)
bool queue_rcu_work(struct workqueue_struct *wq, struct rcu_work *rwork);
bool schedule_delayed_work(struct delayed_work *work, unsigned long delay);
bool cancel_delayed_work_sync(struct delayed_work *work);
bool cancel_delayed_work(struct delayed_work *work);
#define system_unbound_wq	((struct workqueue_struct *)NULL)
bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
		      unsigned long delay);
#define queue_delayed_work(wq, work, delay) ((void)(wq), schedule_delayed_work(work, delay))

#define HZ		1000
extern unsigned long jiffies;
#define time_after_eq(a, b) ((long)((a) - (b)) >= 0)
#define time_before(a, b) (!time_after_eq(a, b))
#define NSEC_PER_MSEC	1000000L
u64 local_clock(void);

typedef struct { int refs; } refcount_t;
static inline void refcount_set(refcount_t *r, int n) { r->refs = n; }
static inline void refcount_inc(refcount_t *r) { BUG_ON(r->refs <= 0); r->refs++; }
static inline bool refcount_dec_and_test(refcount_t *r)
{
	BUG_ON(r->refs <= 0);
	return !--r->refs;
}

typedef struct { long value; } atomic_long_t;
#define atomic_long_read(a) ((a)->value)
#define atomic_long_add(n, a) ((void)((a)->value += (n)))
#define atomic_long_sub(n, a) ((void)((a)->value -= (n)))

/* Hash tables: rhashtable.c */

struct rhashtable;
struct rhash_head { struct rhash_head *next; };
struct rhashtable_compare_arg {
	struct rhashtable *ht;
	const void *key;
};

struct rhashtable_params {
	u16 nelem_hint, key_len, key_offset, head_offset;
	unsigned int max_size;
	u16 min_size;
	bool automatic_shrinking;
	u32 (*hashfn)(const void *data, u32 len, u32 seed);
	u32 (*obj_hashfn)(const void *data, u32 len, u32 seed);
	int (*obj_cmpfn)(struct rhashtable_compare_arg *arg, const void *obj);
};

#define SHIM_BUCKETS	64
struct rhashtable {
	struct rhash_head *bucket[SHIM_BUCKETS];
	u32 seed;
	unsigned int count;
	struct rhashtable_params params;
};

int rhashtable_init(struct rhashtable *ht, const struct rhashtable_params *params);
void rhashtable_destroy(struct rhashtable *ht);
void *rhashtable_lookup_fast(struct rhashtable *ht, const void *key,
			     const struct rhashtable_params params);
int rhashtable_insert_fast(struct rhashtable *ht, struct rhash_head *obj,
			   const struct rhashtable_params params);
int rhashtable_remove_fast(struct rhashtable *ht, struct rhash_head *obj,
			   const struct rhashtable_params params);

/* Network namespaces, devices, the module: net.c */

#define IFF_UP		1
#define IFF_LOOPBACK	8
#define IFF_L3MDEV_RX_HANDLER 0x40000
#define IFNAMSIZ	16
#define NETDEV_UP	1UL
#define NETDEV_DOWN	2UL
#define NETDEV_REGISTER	5UL
#define NETDEV_UNREGISTER 6UL
#define NETDEV_CHANGENAME 10UL
#define NETDEV_CHANGE	4UL
#define NETDEV_CHANGEMTU 7UL
#define NETDEV_CHANGEUPPER 21UL
#define NOTIFY_DONE	0

struct sk_buff;

struct net {
	void *generic;
	struct list_head exit_list;
	struct sock *netlink;
};

struct net_device;
struct l3mdev_ops {
	struct sk_buff *(*l3mdev_l3_rcv)(struct net_device *dev,
					 struct sk_buff *skb, u16 proto);
};

struct net_device {
	int ifindex;
	unsigned int flags;
	unsigned int priv_flags;
	const struct l3mdev_ops *l3mdev_ops;
	bool registered;
	char name[IFNAMSIZ];
};

struct notifier_block {
	int (*notifier_call)(struct notifier_block *nb, unsigned long event, void *ptr);
};

struct pernet_operations {
	int (*init)(struct net *net);
	void (*exit)(struct net *net);
	void (*exit_batch)(struct list_head *nets);
	unsigned int *id;
	size_t size;
};

extern struct net shim_net;
static inline void *net_generic(const struct net *net, unsigned int id)
{
	(void)id;
	return net->generic;
}

int register_pernet_subsys(struct pernet_operations *ops);
void unregister_pernet_subsys(struct pernet_operations *ops);
int register_netdevice_notifier(struct notifier_block *nb);
int unregister_netdevice_notifier(struct notifier_block *nb);
struct net_device *dev_get_by_index_rcu(struct net *net, int ifindex);
struct net_device *dev_get_by_name_rcu(struct net *net, const char *name);
struct net_device *__dev_get_by_index(struct net *net, int ifindex);
struct net_device *__dev_get_by_name(struct net *net, const char *name);
/* a device with a link up, alone */
#define netif_carrier_ok(dev) ((void)(dev), true)
#define netif_is_l3_master(dev) ((void)(dev), false)
#define netif_is_l3_slave(dev) ((void)(dev), false)
#define netif_is_any_bridge_port(dev) ((void)(dev), false)
#define netif_is_lag_port(dev) ((void)(dev), false)

/* RTNL; held while devices change */
extern bool shim_rtnl;
void rtnl_lock(void);
void rtnl_unlock(void);
#define lockdep_rtnl_is_held() shim_rtnl
#define ASSERT_RTNL()	BUG_ON(!shim_rtnl)

/* no packet comes, and none is made */
struct dst_entry {
	struct net_device *dev;
	short error;
};

static inline void dst_dev_put(struct dst_entry *dst) { BUG_ON(dst); }
static inline void dst_release(struct dst_entry *dst) { BUG_ON(dst); }
bool dev_valid_name(const char *name);
#define netdev_notifier_info_to_dev(ptr) ((struct net_device *)(ptr))
#define dev_net(dev)	((void)(dev), &shim_net)

#define module_init(fn)	int shim_module_init(void) { return fn(); }
#define module_exit(fn)	void shim_module_exit(void) { fn(); }
#define MODULE_AUTHOR(x)
#define MODULE_DESCRIPTION(x)
#define MODULE_LICENSE(x)
#define MODULE_VERSION(x)
#define CAP_NET_ADMIN	12

static inline bool ipv4_is_zeronet(__be32 ip) { return !ip; }
static inline bool ipv4_is_multicast(__be32 ip)
{
	return (ip & htobe32(0xf0000000)) == htobe32(0xe0000000);
}
static inline bool ipv4_is_lbcast(__be32 ip) { return ip == htobe32(0xffffffff); }
static inline bool ipv6_addr_any(const struct in6_addr *a)
{
	return !memcmp(a, &in6addr_any, sizeof(*a));
}
static inline bool ipv6_addr_is_multicast(const struct in6_addr *a)
{
	return a->s6_addr[0] == 0xff;
}

/* Sockets and messages: netlink.c */

struct sock {
	int sk_err;
	struct net *net;
	u32 portid;
	bool dead;
	unsigned int held;
	void (*input)(struct sk_buff *skb);
};

#define SOCK_DEAD 1
#define sock_flag(sk, flag) ((void)(flag), (sk)->dead)
#define sock_hold(sk)	((void)(sk)->held++)
#define sock_put(sk)	do { BUG_ON(!(sk)->held); (sk)->held--; } while (0)

struct sk_buff {
	struct sk_buff *next;
	struct sock *sk;
	unsigned char *head, *data, *tail, *end;
	unsigned int len;
	refcount_t users;
	char cb[48] __aligned(8);
};

struct netlink_skb_parms {
	u32 portid;
	struct sock *sk;
};

#define NETLINK_CB(skb)	(*(struct netlink_skb_parms *)&((skb)->cb))
#define sock_net(sk)	((sk)->net)
#define sk_error_report(sk) ((void)(sk))

struct sk_buff *alloc_skb(unsigned int size, gfp_t gfp);
void kfree_skb(struct sk_buff *skb);
#define skb_tailroom(skb) ((int)((skb)->end - (skb)->tail))
#define skb_tail_pointer(skb) ((skb)->tail)
void *skb_put(struct sk_buff *skb, unsigned int len);
/* does not look whether there is room in the kernel: here it does */
#define __skb_put(skb, len) skb_put(skb, len)
void *skb_pull(struct sk_buff *skb, unsigned int len);
void skb_trim(struct sk_buff *skb, unsigned int len);

struct netlink_ext_ack {
	const char *_msg;
	const struct nlattr *bad_attr;
	const struct nla_policy *policy;
	const struct nlattr *miss_nest;
	u16 miss_type;
	u8 cookie[20];
	u8 cookie_len;
	char _msg_buf[80];
};

#define NL_SET_ERR_MSG(extack, text) ((extack)->_msg = (text))
#define NL_SET_ERR_MSG_ATTR(extack, attr, text) \
	((extack)->_msg = (text), (extack)->bad_attr = (attr))

static inline void nl_set_extack_cookie_u64(struct netlink_ext_ack *extack, u64 cookie)
{
	memcpy(extack->cookie, &cookie, sizeof(cookie));
	extack->cookie_len = sizeof(cookie);
}

struct netlink_callback {
	struct sk_buff *skb;
	const struct nlmsghdr *nlh;
	int (*dump)(struct sk_buff *skb, struct netlink_callback *cb);
	int (*done)(struct netlink_callback *cb);
	void *data;
	struct netlink_ext_ack *extack;
	u16 family;
	u16 answer_flags;
	u32 min_dump_alloc;
	unsigned int prev_seq, seq;
	u8 ctx[48] __aligned(8);
};

struct netlink_dump_control {
	int (*start)(struct netlink_callback *cb);
	int (*dump)(struct sk_buff *skb, struct netlink_callback *cb);
	int (*done)(struct netlink_callback *cb);
	struct netlink_ext_ack *extack;
	void *data;
	u32 min_dump_alloc;
};

struct netlink_kernel_cfg {
	unsigned int groups, flags;
	void (*input)(struct sk_buff *skb);
};

#define NL_CFG_F_NONROOT_RECV 1

struct netlink_notify {
	struct net *net;
	u32 portid;
	int protocol;
};

#define NETLINK_URELEASE 1
int netlink_register_notifier(struct notifier_block *nb);
int netlink_unregister_notifier(struct notifier_block *nb);
struct sock *netlink_kernel_create(struct net *net, int protocol, struct netlink_kernel_cfg *cfg);
void netlink_kernel_release(struct sock *sk);
bool netlink_net_capable(const struct sk_buff *skb, int cap);
void netlink_ack(struct sk_buff *in_skb, struct nlmsghdr *nlh, int err,
		 const struct netlink_ext_ack *extack);
int netlink_dump_start(struct sock *ssk, struct sk_buff *skb, const struct nlmsghdr *nlh,
		       struct netlink_dump_control *control);
int nlmsg_unicast(struct sock *sk, struct sk_buff *skb, u32 portid);
int nlmsg_multicast(struct sock *sk, struct sk_buff *skb, u32 portid, unsigned int group,
		    gfp_t gfp);
bool netlink_has_listeners(struct sock *sk, unsigned int group);
int netlink_set_err(struct sock *sk, u32 portid, u32 group, int code);

static inline void nl_dump_check_consistent(struct netlink_callback *cb, struct nlmsghdr *nlh)
{
	if (cb->prev_seq && cb->seq != cb->prev_seq)
		nlh->nlmsg_flags |= NLM_F_DUMP_INTR;
	cb->prev_seq = cb->seq;
}

#define NLMSG_GOODSIZE	3776
#define NLMSG_DEFAULT_SIZE (NLMSG_GOODSIZE - NLMSG_HDRLEN)

static inline struct nlmsghdr *nlmsg_hdr(const struct sk_buff *skb)
{
	return (struct nlmsghdr *)skb->data;
}

static inline void *nlmsg_data(const struct nlmsghdr *nlh)
{
	return (char *)nlh + NLMSG_HDRLEN;
}

static inline int nlmsg_len(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len - NLMSG_HDRLEN;
}

static inline bool nlmsg_ok(const struct nlmsghdr *nlh, int remaining)
{
	return remaining >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       nlh->nlmsg_len <= (u32)remaining;
}

struct sk_buff *nlmsg_new(size_t payload, gfp_t gfp);
struct nlmsghdr *nlmsg_put(struct sk_buff *skb, u32 portid, u32 seq, int type, int payload,
			   int flags);
void nlmsg_cancel(struct sk_buff *skb, struct nlmsghdr *nlh);

static inline void nlmsg_end(struct sk_buff *skb, struct nlmsghdr *nlh)
{
	nlh->nlmsg_len = skb->tail - (unsigned char *)nlh;
}

/* Attributes: nlattr.c */

enum {
	NLA_UNSPEC, NLA_U8, NLA_U16, NLA_U32, NLA_U64, NLA_STRING, NLA_FLAG, NLA_BINARY,
	NLA_REJECT, NLA_NUL_STRING,
};

struct nla_policy {
	u8 type;
	bool ranged;
	u16 len;
	u32 min, max;
};

#define NLA_POLICY_MIN(t, lo) { .type = t, .ranged = true, .min = lo, .max = U32_MAX }
#define NLA_POLICY_MAX(t, hi) { .type = t, .ranged = true, .max = hi }
#define NLA_POLICY_RANGE(t, lo, hi) { .type = t, .ranged = true, .min = lo, .max = hi }

static inline int nla_type(const struct nlattr *a) { return a->nla_type & NLA_TYPE_MASK; }
static inline int nla_attr_size(int payload) { return NLA_HDRLEN + payload; }
static inline int nla_total_size(int payload) { return NLA_ALIGN(nla_attr_size(payload)); }
/* room for the padding of machines that want 64 bits aligned is asked for, not used */
static inline int nla_total_size_64bit(int payload) { return nla_total_size(payload); }
static inline void *nla_data(const struct nlattr *a) { return (char *)a + NLA_HDRLEN; }
static inline int nla_len(const struct nlattr *a) { return a->nla_len - NLA_HDRLEN; }
static inline u8 nla_get_u8(const struct nlattr *a) { return *(u8 *)nla_data(a); }
static inline u32 nla_get_u32(const struct nlattr *a) { return *(u32 *)nla_data(a); }

static inline __be32 nla_get_be32(const struct nlattr *a) { return *(__be32 *)nla_data(a); }

static inline bool nla_ok(const struct nlattr *a, int rem)
{
	return rem >= (int)sizeof(*a) && a->nla_len >= sizeof(*a) && a->nla_len <= rem;
}

static inline struct nlattr *nla_next(const struct nlattr *a, int *rem)
{
	unsigned int size = NLA_ALIGN(a->nla_len);

	*rem -= size;
	return (struct nlattr *)((char *)a + size);
}

#define nla_for_each_attr(pos, head, len, rem)				\
	for (pos = head, rem = len; nla_ok(pos, rem); pos = nla_next(pos, &(rem)))
#define nlmsg_attrdata(nlh, hdrlen) \
	((struct nlattr *)((char *)nlmsg_data(nlh) + NLMSG_ALIGN(hdrlen)))
#define nlmsg_attrlen(nlh, hdrlen) (nlmsg_len(nlh) - (int)NLMSG_ALIGN(hdrlen))
#define nlmsg_for_each_attr(pos, nlh, hdrlen, rem) \
	nla_for_each_attr(pos, nlmsg_attrdata(nlh, hdrlen), nlmsg_attrlen(nlh, hdrlen), rem)

int nlmsg_parse(const struct nlmsghdr *nlh, int hdrlen, struct nlattr *tb[], int max,
		const struct nla_policy *policy, struct netlink_ext_ack *extack);
struct nlattr *nlmsg_find_attr(const struct nlmsghdr *nlh, int hdrlen, int type);
ssize_t nla_strscpy(char *to, const struct nlattr *a, size_t size);
int nla_put(struct sk_buff *skb, int type, int len, const void *data);

static inline int nla_put_u32(struct sk_buff *skb, int type, u32 v) { return nla_put(skb, type, 4, &v); }
static inline int nla_put_u8(struct sk_buff *skb, int type, u8 v) { return nla_put(skb, type, 1, &v); }
static inline int nla_put_u64_64bit(struct sk_buff *skb, int type, u64 v, int pad)
{
	(void)pad;
	return nla_put(skb, type, 8, &v);
}
static inline int nla_put_string(struct sk_buff *skb, int type, const char *text)
{
	return nla_put(skb, type, strlen(text) + 1, text);
}

#endif
