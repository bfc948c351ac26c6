#include "creactor.h"
