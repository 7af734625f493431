/* Looks at what libqamd_reader.so promises to a program in C. usage: reader_checks INSTANCE RUNTIME_DIR NOT_READY_DIR
 * Says "ready" when the reader is open, then waits for a tick as a program with an event loop does, and prints its volume. */
#define _GNU_SOURCE
#include "qamd_reader.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(condition)                                                  \
    do {                                                                 \
        if (!(condition)) {                                              \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);      \
            exit(1);                                                     \
        }                                                                \
    } while (0)

static struct sigaction handlers[65];

static void look_at_signals(int compare) {
    int number;
    for (number = 1; number < 65; number++) {
        struct sigaction now;
        if (sigaction(number, NULL, &now) != 0) continue;
        if (compare) MUST(now.sa_handler == handlers[number].sa_handler);
        handlers[number] = now;
    }
}

static void refusals(const char *instance, const char *dir, const char *not_ready) {
    qamd_reader *reader = (qamd_reader *)&handlers;
    char error[512] = "x", little[5] = "xxxx";
    MUST(qamd_reader_open(instance, dir, NULL, error, sizeof error) == QAMD_READER_ERROR);
    MUST(strstr(error, "out is NULL") != NULL);
    MUST(qamd_reader_open("Not A Name", dir, &reader, error, sizeof error) == QAMD_READER_ERROR);
    MUST(reader == NULL && strstr(error, "Not A Name") != NULL);
    MUST(qamd_reader_open("\xff\xfe", dir, &reader, error, sizeof error) == QAMD_READER_ERROR);
    MUST(qamd_reader_open(instance, "relative", &reader, error, sizeof error) == QAMD_READER_ERROR);
    MUST(strstr(error, "absolute") != NULL);
    MUST(qamd_reader_open(instance, not_ready, &reader, error, sizeof error) == QAMD_READER_NOT_READY);
    MUST(reader == NULL && strstr(error, not_ready) != NULL);
    /* As much of a text as fits, and none where there is no room. */
    MUST(qamd_reader_open(instance, "relative", &reader, little, sizeof little) == QAMD_READER_ERROR);
    MUST(strlen(little) == 4 && strncmp(little, "runt", 4) == 0);
    little[0] = 'x';
    MUST(qamd_reader_open(instance, "relative", &reader, little, 0) == QAMD_READER_ERROR && little[0] == 'x');
    MUST(qamd_reader_open(instance, "relative", &reader, NULL, 100) == QAMD_READER_ERROR);
    MUST(qamd_reader_next(NULL, NULL, 0, 0) == QAMD_READER_ERROR);
    MUST(qamd_reader_lost(NULL) == 0 && qamd_reader_copies(NULL) == 0);
    MUST(qamd_reader_prepare(NULL) == 0 && qamd_reader_fd(NULL) == -1);
    MUST(strstr(qamd_reader_error(NULL), "NULL") != NULL);
    qamd_reader_close(NULL);
}

int main(int argc, char **argv) {
    qamd_reader *reader, *second;
    qamd_tick tick, *crooked = (qamd_tick *)((char *)&handlers + 1);
    struct pollfd wait;
    int64_t count = 0;
    MUST(argc == 4);
    MUST(qamd_reader_tick_schema() == QAMD_TICK_SCHEMA && strchr(qamd_reader_version(), '.') != NULL);
    look_at_signals(0);
    refusals(argv[1], argv[2], argv[3]);
    MUST(qamd_reader_open(argv[1], argv[2], &reader, NULL, 0) == QAMD_READER_OK);
    MUST(qamd_reader_open(argv[1], argv[2], &second, NULL, 0) == QAMD_READER_OK && second != reader);
    look_at_signals(1);
    MUST(qamd_reader_next(reader, NULL, 1, 0) == QAMD_READER_ERROR && strlen(qamd_reader_error(reader)) > 0);
    MUST(qamd_reader_next(reader, crooked, 1, 0) == QAMD_READER_ERROR);
    MUST(qamd_reader_next(reader, NULL, 0, -1) == 0 && strlen(qamd_reader_error(reader)) == 0);
    MUST(qamd_reader_next(reader, &tick, 1, 0) == 0);
    MUST(qamd_reader_next(reader, &tick, 1, 1000) == 0);
    wait.fd = qamd_reader_fd(reader);
    wait.events = POLLIN;
    MUST(wait.fd >= 0 && wait.fd != qamd_reader_fd(second));
    MUST(qamd_reader_prepare(reader) == 1);
    printf("ready\n");
    fflush(stdout);
    /* Without an end to the wait: nobody is killed here, so the wake comes. */
    MUST(poll(&wait, 1, -1) == 1 && (wait.revents & POLLIN) != 0);
    while (count == 0) count = qamd_reader_next(reader, &tick, 1, 0);
    MUST(count == 1);
    printf("%" PRId32 "\n", tick.volume);
    /* The rest of what was published together waits, and so nobody need. */
    MUST(qamd_reader_prepare(reader) == 0);
    MUST(qamd_reader_next(reader, &tick, 1, -1) == 1);
    printf("%" PRId32 "\n", tick.volume);
    MUST(qamd_reader_next(second, &tick, 1, -1) == 1);
    printf("%" PRId32 "\n", tick.volume);
    MUST(qamd_reader_lost(reader) == 0 && qamd_reader_copies(reader) == 0);
    qamd_reader_close(second);
    qamd_reader_close(reader);
    look_at_signals(1);
    return 0;
}
