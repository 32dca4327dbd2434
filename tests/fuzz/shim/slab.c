// SPDX-License-Identifier: GPL-2.0-only
/* Memory: the host's, so that ASan sees it; any allocation can be made to fail. */
#include "kernel.h"
#include "shim.h"

struct block {
	size_t size;
	u64 magic;
	_Alignas(16) unsigned char data[];
};

#define LIVE	0x6e6c33316c697665ULL

/* What is not set has this value, so that its use shows. */
#define POISON	0xa5

static size_t live;
static u32 fail_in;
static bool has_failed;

void shim_bug_at(const char *file, int line, const char *text)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, text);
	abort();
}

void shim_fail_allocation(u32 nth)
{
	fail_in = nth;
	has_failed = false;
}

bool shim_allocation_failed(void)
{
	return has_failed;
}

size_t shim_allocations(void)
{
	return live;
}

bool shim_fails(gfp_t gfp)
{
	if (gfp & __GFP_DIRECT_RECLAIM)
		might_sleep();
	if (gfp & __GFP_NOFAIL || !fail_in || --fail_in)
		return false;
	has_failed = true;
	return true;
}

void *kmalloc(size_t size, gfp_t gfp)
{
	struct block *block;

	if (shim_fails(gfp))
		return NULL;
	block = malloc(sizeof(*block) + size);
	if (!block)
		abort();
	block->size = size;
	block->magic = LIVE;
	memset(block->data, gfp & __GFP_ZERO ? 0 : POISON, size);
	live++;
	return block->data;
}

void kfree(const void *p)
{
	struct block *block;

	if (!p)
		return;
	block = container_of(p, struct block, data);
	BUG_ON(block->magic != LIVE);
	block->magic = 0;
	live--;
	free(block);
}

struct kmem_cache {
	size_t size;
	size_t live;
};

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
				     unsigned int align, unsigned int flags,
				     void (*constructor)(void *))
{
	struct kmem_cache *cache = malloc(sizeof(*cache));

	BUG_ON(!name || align & (align - 1) || flags != SLAB_ACCOUNT || constructor);
	if (!cache)
		abort();
	*cache = (struct kmem_cache){ .size = size };
	return cache;
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	BUG_ON(cache && cache->live);
	free(cache);
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *p = kmalloc(cache->size, gfp);

	cache->live += !!p;
	return p;
}

/* Only what came from this cache. */
void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	BUG_ON(container_of(p, struct block, data)->size != cache->size || !cache->live);
	cache->live--;
	kfree(p);
}

/* The sizes of the kernel's caches. */
size_t kmalloc_size_roundup(size_t size)
{
	size_t cache = 8;

	if (size > 64 && size <= 96)
		return 96;
	if (size > 128 && size <= 192)
		return 192;
	while (cache < size)
		cache *= 2;
	return cache;
}

unsigned long totalram_pages(void)
{
	return (64UL << 20) / PAGE_SIZE;
}

long si_mem_available(void)
{
	return totalram_pages() / 2;
}

/* As good a hash as the kernel's, and another one. */
u32 jhash(const void *key, u32 len, u32 seed)
{
	const u8 *byte = key;
	u32 hash = seed ^ 2166136261U;

	while (len--)
		hash = (u32)((u64)(hash ^ *byte++) * 16777619U);
	return hash;
}
