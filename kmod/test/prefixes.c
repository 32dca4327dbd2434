// SPDX-License-Identifier: GPL-2.0-only
/* Routing tables for tests: made ones, and a real one from a file. */
#include <linux/inet.h>
#include <linux/initrd.h>
#include <linux/kernel_read_file.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "prefixes.h"
#include "random.h"

static char *prefixes;
module_param(prefixes, charp, 0444);
MODULE_PARM_DESC(prefixes,
		 "File with a routing table for the tests, a prefix a line");

/*
 * Prefixes of each length in a full table of October 2025 (the test data of the
 * project gaissmai/bart).
 */
static const u32 lengths[NL31_FAMILIES][129] = {
	[NL31_IPV4] = {
		[8] = 16, 13, 38, 103, 299, 581, 1203, 2100,
		[16] = 13490, 8235, 13798, 24870, 42611, 50750, 108623, 96510,
		[24] = 537698, 20, 3, 11, 18, 17, 3, 3,
		[32] = 886,
	},
	[NL31_IPV6] = {
		[16] = 1, 0, 0, 1, 16, 3, 7, 8,
		[24] = 30, 8, 15, 20, 193, 4371, 650, 284,
		[32] = 22548, 2926, 2603, 1043, 5996, 880, 1617, 1377,
		[40] = 13418, 903, 2301, 1001, 14365, 1553, 3039, 3153,
		[48] = 75488, 11, 3, 0, 1, 0, 0, 1,
		[56] = 24, 0, 20, 0, 2,
		[64] = 184,
		[112] = 2,
		[122] = 1, 0, 4, 9, 19, 42,
		[128] = 6,
	},
};

static int array_init(struct kunit_resource *res, void *size)
{
	res->data = vmalloc(*(size_t *)size);
	return res->data ? 0 : -ENOMEM;
}

static void array_free(struct kunit_resource *res)
{
	vfree(res->data);
}

/* Memory beyond what kmalloc() gives, freed with the test. */
static void *new_array(struct kunit *test, size_t count, size_t item)
{
	size_t size = array_size(max_t(size_t, count, 1), item);
	void *array = kunit_alloc_resource(test, array_init, array_free,
					   GFP_KERNEL, &size);

	KUNIT_ASSERT_NOT_NULL(test, array);
	return array;
}

static struct prefixes *new_prefixes(struct kunit *test,
				     enum nl31_family family, size_t room)
{
	struct prefixes *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->family = family;
	p->bits = family == NL31_IPV4 ? 32 : 128;
	p->key = new_array(test, room, sizeof(*p->key));
	return p;
}

static int cmp_keys(const void *a, const void *b)
{
	return nl31_lpm_key_cmp(a, b);
}

static void sort_unique(struct prefixes *p)
{
	unsigned int i, count = 0;

	sort(p->key, p->count, sizeof(*p->key), cmp_keys, NULL);
	for (i = 0; i < p->count; i++)
		if (!i || nl31_lpm_key_cmp(&p->key[i], &p->key[count - 1]))
			p->key[count++] = p->key[i];
	p->count = count;
}

static u8 random_len(struct rnd_state *random, const u32 *length)
{
	unsigned int len;
	u32 sum = 0, at;

	for (len = 0; len <= 128; len++)
		sum += length[len];
	at = prandom_u32_state(random) % sum;
	for (len = 0; at >= length[len]; len++)
		at -= length[len];
	return len;
}

/* An address where there are routes: 1.0.0.0 to 223.255.255.255, 2000::/3. */
static struct lpm_key random_address(struct rnd_state *random,
				     enum nl31_family family)
{
	static const u16 blocks[] = {
		0x2001, 0x2400, 0x2401, 0x2402, 0x2403, 0x2404, 0x2405, 0x2406,
		0x2407, 0x2409, 0x2600, 0x2602, 0x2603, 0x2604, 0x2605, 0x2606,
		0x2607, 0x2620, 0x2800, 0x2801, 0x2803, 0x2804, 0x2806, 0x2a00,
		0x2a01, 0x2a02, 0x2a03, 0x2a04, 0x2a05, 0x2a06, 0x2a0d, 0x2c0f,
	};
	struct lpm_key key = { .len = family == NL31_IPV4 ? 32 : 128 };
	u64 word = random_u64(random);

	if (family == NL31_IPV4) {
		key.word[0] = (u64)(1 + (u32)(word >> 32) % 223) << 56 |
			      (word & 0xffffff) << 32;
	} else {
		key.word[0] = (u64)blocks[(u32)word % ARRAY_SIZE(blocks)] << 48 |
			      word >> 16;
		key.word[1] = random_u64(random);
	}
	return key;
}

/* The address @key is put inside of @outer. */
static void move_inside(struct lpm_key *key, const struct lpm_key *outer)
{
	struct lpm_key net = *key;

	nl31_lpm_key_truncate(&net, outer->len);
	key->word[0] ^= net.word[0] ^ outer->word[0];
	key->word[1] ^= net.word[1] ^ outer->word[1];
}

/**
 * prefixes_make - a made table, the same for the same seed
 * @test: the test that it is freed with
 * @family: the family
 *
 * Lengths are distributed as in the Internet's. So is the space: much of it is
 * given out in rows, and many a prefix lies within another.
 */
struct prefixes *prefixes_make(struct kunit *test, enum nl31_family family)
{
	struct prefixes *p = new_prefixes(test, family, PREFIXES_MADE);
	struct lpm_key *last = NULL;
	struct rnd_state random;

	random_begin(test, &random);
	for (; p->count < PREFIXES_MADE; last = &p->key[p->count++]) {
		struct lpm_key key = random_address(&random, family);
		u8 len = random_len(&random, lengths[family]);
		u32 how = prandom_u32_state(&random) % 16;

		if (last && how >= 3 && last->len <= 64) {
			/* behind the last one, and mostly like it */
			key.word[0] = last->word[0] +
				      (1ULL << (64 - last->len));
			if (how >= 6)
				len = last->len;
		} else if (last && how) {
			move_inside(&key, &p->key[prandom_u32_state(&random) %
						  p->count]);
		}
		nl31_lpm_key_truncate(&key, len);
		p->key[p->count] = key;
	}
	sort_unique(p);
	return p;
}

/**
 * prefixes_hosts - hosts without a gap between them, and nothing else
 * @test: the test that it is freed with
 * @family: the family
 */
struct prefixes *prefixes_hosts(struct kunit *test, enum nl31_family family)
{
	struct prefixes *p = new_prefixes(test, family, PREFIXES_HOSTS);
	u64 nr;

	for (nr = 0; nr < PREFIXES_HOSTS; nr++)
		p->key[nr] = (struct lpm_key) {
			.word[0] = family == NL31_IPV4 ?
				   10ULL << 56 | nr << 32 : 0xfdULL << 56,
			.word[1] = family == NL31_IPV4 ? 0 : nr,
			.len = p->bits,
		};
	p->count = PREFIXES_HOSTS;
	return p;
}

/**
 * prefixes_access - customers' nets, a /64 each
 * @test: the test that it is freed with
 * @hosts: /128 in each of them
 * @net: the /64 is there, too
 * @random: the hosts' addresses are, else they are ::1, ::2 and so on
 */
struct prefixes *prefixes_access(struct kunit *test, unsigned int hosts, bool net,
				 bool random)
{
	struct prefixes *p = new_prefixes(test, NL31_IPV6, PREFIXES_NETS * (hosts + 1));
	unsigned int nr, host;
	struct rnd_state state;

	random_begin(test, &state);
	for (nr = 0; nr < PREFIXES_NETS; nr++) {
		const u64 upper = 0x20010db800000000ULL + nr;

		if (net)
			p->key[p->count++] = (struct lpm_key) {
				.word[0] = upper,
				.len = 64,
			};
		for (host = 1; host <= hosts; host++)
			p->key[p->count++] = (struct lpm_key) {
				.word = { upper, random ? random_u64(&state) : host },
				.len = 128,
			};
	}
	sort_unique(p);
	return p;
}

static bool parse(const char *line, size_t size, struct lpm_key *key,
		  enum nl31_family *family)
{
	const char *slash = memchr(line, '/', size);
	__be64 address[2] = {};
	char digits[4] = {};
	const char *end;
	u8 len;

	/* written under another system */
	if (size && line[size - 1] == '\r')
		size--;
	if (!slash || line + size - slash - 1 >= sizeof(digits))
		return false;
	memcpy(digits, slash + 1, line + size - slash - 1);
	if (kstrtou8(digits, 10, &len))
		return false;
	if (in4_pton(line, size, (u8 *)address, '/', &end))
		*family = NL31_IPV4;
	else if (in6_pton(line, size, (u8 *)address, '/', &end))
		*family = NL31_IPV6;
	else
		return false;
	if (end != slash || len > (*family == NL31_IPV4 ? 32 : 128))
		return false;
	key->word[0] = be64_to_cpu(address[0]);
	key->word[1] = be64_to_cpu(address[1]);
	nl31_lpm_key_truncate(key, len);
	return true;
}

/**
 * prefixes_read - the table in the file that the module's parameter names
 * @test: the test that it is freed with; skipped if there is no file
 * @family: take the prefixes of this one
 */
struct prefixes *prefixes_read(struct kunit *test, enum nl31_family family)
{
	const char *line, *next, *end;
	unsigned int number = 0;
	bool malformed = false;
	struct prefixes *p;
	void *text = NULL;
	size_t size;
	ssize_t got;

	if (!prefixes)
		kunit_skip(test, "nl31.prefixes= names no file");
	/* where this runs before the root file system is there */
	wait_for_initramfs();
	got = kernel_read_file_from_path(prefixes, 0, &text, INT_MAX, &size,
					 READING_UNKNOWN);
	KUNIT_ASSERT_GT_MSG(test, got, 0, "cannot read %s", prefixes);

	/* no line is shorter than this */
	p = new_prefixes(test, family, got / strlen("::/0\n") + 1);
	end = text + got;
	for (line = text; line < end && !malformed; line = next) {
		enum nl31_family its;

		next = memchr(line, '\n', end - line);
		if (!next)
			next = end;
		number++;
		if (!parse(line, next - line, &p->key[p->count], &its))
			malformed = true;
		else if (its == family)
			p->count++;
		next++;
	}
	vfree(text);
	KUNIT_ASSERT_FALSE_MSG(test, malformed, "%s:%u is not a prefix",
			       prefixes, number);
	sort_unique(p);
	return p;
}

/**
 * prefixes_last - the last address in a prefix
 * @p: a table
 * @key: the prefix, of its family
 */
struct lpm_key prefixes_last(const struct prefixes *p,
			     const struct lpm_key *key)
{
	struct lpm_key ones = { .word = { U64_MAX, U64_MAX } };

	nl31_lpm_key_truncate(&ones, p->bits);
	move_inside(&ones, key);
	ones.len = p->bits;
	return ones;
}

/**
 * prefixes_inside - an address in a prefix
 * @p: a table
 * @nr: number of the prefix
 * @random: which
 */
struct lpm_key prefixes_inside(const struct prefixes *p, unsigned int nr,
			       u64 random)
{
	struct lpm_key key = { .word = { random, random } };

	nl31_lpm_key_truncate(&key, p->bits);
	move_inside(&key, &p->key[nr]);
	key.len = p->bits;
	return key;
}

/**
 * prefixes_shuffled - numbers of the prefixes of a table, in random order
 * @test: the test that it is freed with
 * @p: the table
 */
unsigned int *prefixes_shuffled(struct kunit *test, const struct prefixes *p)
{
	unsigned int *order = new_array(test, p->count, sizeof(*order));
	struct rnd_state random;
	unsigned int i, at;

	random_begin(test, &random);
	for (i = 0; i < p->count; i++) {
		at = prandom_u32_state(&random) % (i + 1);
		order[i] = order[at];
		order[at] = i;
	}
	return order;
}
