// The time of day as the environment says it, for programs that cannot be told otherwise (`openssl ts -reply`).
//
// cc -shared -fPIC -o clock.so clock.c; SIMULATED_TIME=<seconds since 1970> LD_PRELOAD=./clock.so openssl ...

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t told(void) {
    const char *text = getenv("SIMULATED_TIME");
    return text ? (time_t)atoll(text) : 0;
}

time_t time(time_t *out) {
    time_t now = told();
    if (out)
        *out = now;
    return now;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    out->tv_sec = told();
    out->tv_usec = 0;
    return 0;
}
