/* SPDX-License-Identifier: GPL-2.0-only */
/* What the port messages mean. */
#ifndef _NL31_PORT_REQUEST_H
#define _NL31_PORT_REQUEST_H

#include "port.h"
#include "request.h"
#include "router.h"

int nl31_port_new(struct nl31_router *router, struct nl31_request *req);
int nl31_port_delete(struct nl31_ports *ports, struct nl31_request *req);
int nl31_port_get(struct nl31_ports *ports, struct nl31_request *req);
int nl31_port_dump(struct nl31_ports *ports, struct nl31_request *req);

void nl31_port_ended(struct nl31_ports *ports, const struct nl31_port *port);

#endif /* _NL31_PORT_REQUEST_H */
