/* The service manager's notifications, sd_notify(3), by its plain protocol: a datagram to a socket. */
#pragma once

/* "READY=1" …; does nothing where no manager listens. */
void notify_manager(const char *state);
/* How often it wants "WATCHDOG=1"; an hour where it does not. */
int notify_interval_ms(void);
