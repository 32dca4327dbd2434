/* SPDX-License-Identifier: GPL-2.0-only */
/* Routes: what the route messages mean. */
#ifndef _NL31_ROUTE_H
#define _NL31_ROUTE_H

#include <linux/if.h>
#include <uapi/linux/nl31.h>

#include "request.h"

/**
 * struct nl31_route - a route message, parsed
 * @given: bit per enum nl31_route_attr that was there
 * @family: of @key, where NL31_ROUTE_DST was given
 * @key: the prefix
 * @oif: index of its device, or 0
 * @oif_name: name of its device, or empty
 * @path: the path; its device is found where one is to be added
 */
struct nl31_route {
	u32 given;
	enum nl31_family family;
	struct lpm_key key;
	u32 oif;
	char oif_name[IFNAMSIZ];
	struct nl31_path path;
};

int nl31_route_parse_filter(struct nl31_request *req, struct nl31_route *filter);
bool nl31_route_selects(const struct nl31_route *filter,
			const struct nl31_path *path);
bool nl31_route_selects_family(const struct nl31_route *filter,
			       enum nl31_family family);

int nl31_route_new(struct nl31_request *req);
int nl31_route_del(struct nl31_request *req);
int nl31_route_get(struct nl31_request *req);

#endif /* _NL31_ROUTE_H */
