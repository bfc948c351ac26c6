/* The C shim of the reactor: the kernel (epoll, io_uring, sockets, threads, clocks), hiredis, libpq and OpenSSL for Swift.
 * Everything is prefixed cr_, returns -errno, and is `static inline` where it runs per request.
 * One header per noun under creactor/; this one is their list. */
#ifndef CREACTOR_H
#define CREACTOR_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "creactor/clock.h"
#include "creactor/epoll.h"
#include "creactor/handover.h"
#include "creactor/postgres.h"
#include "creactor/process.h"
#include "creactor/redis.h"
#include "creactor/relaxed.h"
#include "creactor/socket.h"
#include "creactor/thread.h"
#include "creactor/tls.h"
#include "creactor/uring.h"
#include "creactor/json.h"
#include "creactor/http.h"
#include "creactor/file.h"
#include "creactor/limit.h"
#include "creactor/log.h"
#include "creactor/secret.h"
#include "creactor/sha256.h"
#include "creactor/blocking.h"

#endif
