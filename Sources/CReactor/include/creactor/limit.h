/* What the limiter needs of the system: giving way to a thread that was preempted. */
#ifndef CREACTOR_LIMIT_H
#define CREACTOR_LIMIT_H

#include <sched.h>

#endif
