/* A server that costs nothing: whoever says hello gets the same recorded flight. So that in a measurement the server
 * is not the bottleneck.
 *
 *     canned-server FLIGHT         prints its port, answers on every address of this machine until it is killed
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FLIGHT_MAX = 65536, BACKLOG = 8192, BATCH = 512 };

static char flight[FLIGHT_MAX];
static size_t flight_size;

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static void read_flight(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path);
    flight_size = fread(flight, 1, sizeof flight, file);
    fclose(file);
}

static int listen_anywhere(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0)
        fail("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void take_in(int epoll, int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

/* The first octets are the hello; whatever comes after is not answered. */
static void answer(int fd, unsigned events) {
    char hello[8192];
    if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP) || recv(fd, hello, sizeof hello, 0) <= 0 ||
        send(fd, flight, flight_size, MSG_NOSIGNAL) < 0)
        close(fd);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "canned-server FLIGHT\n");
        return 2;
    }
    read_flight(argv[1]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = listen_anywhere(), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[BATCH];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == listener)
                take_in(epoll, listener);
            else
                answer(events[i].data.fd, events[i].events);
    }
}
