// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks, RCU, deferred work and time for one thread. Nothing happens by itself: a
 * grace period passes, and time does, when the fuzzer says so, or a thread waits.
 */
#include "kernel.h"
#include "shim.h"

unsigned int shim_rcu_depth, shim_spin_depth;
unsigned long jiffies;

static struct rcu_head *callbacks, **last_callback = &callbacks;
static struct work_struct *works, **last_work = &works;
static struct delayed_work *timers;

void mutex_init(struct mutex *lock)
{
	lock->held = false;
}

void mutex_lock(struct mutex *lock)
{
	might_sleep();
	if (lock->held)
		shim_bug("a lock is taken twice");
	lock->held = true;
}

void mutex_unlock(struct mutex *lock)
{
	if (!lock->held)
		shim_bug("a lock is released that is not held");
	lock->held = false;
}

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	head->next = NULL;
	head->func = func;
	*last_callback = head;
	last_callback = &head->next;
}

/* A grace period, and all callbacks that waited for it. */
void rcu_barrier(void)
{
	might_sleep();
	while (callbacks) {
		struct rcu_head *head = callbacks;

		callbacks = head->next;
		if (!callbacks)
			last_callback = &callbacks;
		if ((uintptr_t)head->func < PAGE_SIZE)
			kfree((char *)head - (uintptr_t)head->func);
		else
			head->func(head);
	}
}

static void run_works(void)
{
	while (works) {
		struct work_struct *work = works;

		works = work->next;
		if (!works)
			last_work = &works;
		work->queued = false;
		work->func(work);
	}
}

struct workqueue_struct *alloc_workqueue(const char *name, int flags, int max)
{
	(void)name, (void)flags, (void)max;
	return kzalloc(sizeof(struct workqueue_struct), GFP_KERNEL);
}

void flush_workqueue(struct workqueue_struct *wq)
{
	(void)wq;
	might_sleep();
	run_works();
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	flush_workqueue(wq);
	kfree(wq);
}

static bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	(void)wq;
	if (work->queued)
		return false;
	work->queued = true;
	work->next = NULL;
	*last_work = work;
	last_work = &work->next;
	return true;
}

static void rcu_work_ready(struct rcu_head *head)
{
	struct rcu_work *rwork = container_of(head, struct rcu_work, rcu);

	rwork->work.queued = false;
	queue_work(NULL, &rwork->work);
}

bool queue_rcu_work(struct workqueue_struct *wq, struct rcu_work *rwork)
{
	(void)wq;
	if (rwork->work.queued)
		return false;
	rwork->work.queued = true;
	call_rcu(&rwork->rcu, rcu_work_ready);
	return true;
}

bool schedule_delayed_work(struct delayed_work *work, unsigned long delay)
{
	if (work->work.queued)
		return false;
	work->work.queued = true;
	work->due = jiffies + delay;
	work->next = timers;
	timers = work;
	return true;
}

bool cancel_delayed_work(struct delayed_work *work);

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work, unsigned long delay)
{
	bool was_queued = cancel_delayed_work(work);

	(void)wq;
	schedule_delayed_work(work, delay);
	return was_queued;
}

/* A millisecond of the scheduler's time passes between two looks, now and then. */
u64 local_clock(void)
{
	static u64 now;

	return now += NSEC_PER_MSEC / 4;
}

bool cancel_delayed_work(struct delayed_work *work)
{
	struct delayed_work **at;

	if (!work->work.queued)
		return false;
	for (at = &timers; *at != work; at = &(*at)->next)
		BUG_ON(!*at);
	*at = work->next;
	work->work.queued = false;
	return true;
}

bool cancel_delayed_work_sync(struct delayed_work *work)
{
	might_sleep();
	return cancel_delayed_work(work);
}

void shim_grace_period(void)
{
	rcu_barrier();
	run_works();
}

void shim_advance(u32 by)
{
	struct delayed_work *work;

	jiffies += by;
again:
	for (work = timers; work; work = work->next) {
		if (time_after_eq(jiffies, work->due)) {
			cancel_delayed_work(work);
			work->work.func(&work->work);
			goto again;
		}
	}
}

bool shim_work_pending(void)
{
	return callbacks || works || timers || shim_rcu_depth || shim_spin_depth;
}
