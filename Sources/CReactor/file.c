#include "creactor/file.h"
#include <string.h>

const char *cr_error_text(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}
