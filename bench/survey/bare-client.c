/* The least that reading a certificate can cost: connect, say a hello, read the flight, reset. No parsing, no record,
 * no pacing. What Vigie takes beyond this is its own.
 *
 *     bare-client PORT COUNT FLIGHT_SIZE         127.1.0.1 and the COUNT - 1 addresses after it
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PARALLEL = 500, BATCH = 256, HELLO_SIZE = 245 };

static unsigned char hello[HELLO_SIZE] = {0x16, 3, 1, 0, HELLO_SIZE - 5, 1, 0, 0, HELLO_SIZE - 9, 3, 3};
static char buffer[32768];
static unsigned under_way, next;

static void dial(int epoll, unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(0x7f010001u + next++)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)) {
        perror("connect");
        exit(2);
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    if (send(fd, hello, sizeof hello, MSG_NOSIGNAL) != (ssize_t)sizeof hello) {
        perror("send");
        exit(2);
    }
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    under_way++;
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    unsigned port = (unsigned)atoi(argv[1]), count = (unsigned)atoi(argv[2]);
    ssize_t flight = atoi(argv[3]);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    while (next < count || under_way > 0) {
        while (next < count && under_way < PARALLEL)
            dial(epoll, port);
        struct epoll_event events[BATCH];
        int ready = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < ready; i++) {
            if (recv(events[i].data.fd, buffer, sizeof buffer, 0) < flight)
                fprintf(stderr, "short flight\n");
            setsockopt(events[i].data.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                       sizeof(struct linger));
            close(events[i].data.fd);
            under_way--;
        }
    }
    return 0;
}
