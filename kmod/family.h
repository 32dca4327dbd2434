/* SPDX-License-Identifier: GPL-2.0-only */
/* The address families, as arrays are indexed by them. */
#ifndef _NL31_FAMILY_H
#define _NL31_FAMILY_H

enum nl31_family {
	NL31_IPV4,
	NL31_IPV6,
	NL31_FAMILIES
};

#endif /* _NL31_FAMILY_H */
