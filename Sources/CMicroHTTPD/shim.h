#include <microhttpd.h>

// Swift cannot call variadic functions: these two give them the arguments that the status page needs.

/// A daemon of one thread that waits by epoll on a listening socket, which is its own from then on; null where none starts.
static inline struct MHD_Daemon *nndist_http_start(int listener, MHD_AccessHandlerCallback answer,
                                                   MHD_NotifyConnectionCallback notice, void *context,
                                                   unsigned int connections, unsigned int idle_seconds,
                                                   size_t bytes_a_connection) {
  return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer, context,
                          MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_NOTIFY_CONNECTION, notice, context,
                          MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds,
                          MHD_OPTION_CONNECTION_MEMORY_LIMIT, bytes_a_connection, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                          MHD_OPTION_END);
}

/// The socket of a connection; -1 where there is none.
static inline int nndist_http_socket(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}
