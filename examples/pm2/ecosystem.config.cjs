module.exports = {
  apps: [
    {
      name: 'lobby',
      script: 'server.js',
      // One process. In several, each Comet reaches only the pages that are connected to its own process, and warns with
      // COMET_WORKERS, unless they share a Redis: `new Comet({ ...redisCluster(client) })`. Cluster mode gives the warning with one process, too, because PM2 may
      // run a second one while it reloads the app.
      exec_mode: 'fork',
      instances: 1,
      // PM2 sends SIGINT and, after this time, SIGKILL: 1.6 seconds, unless you say more. The server takes 2 seconds to
      // end its streams and 1 second more for spare connections.
      kill_timeout: 5_000,
    },
  ],
}
