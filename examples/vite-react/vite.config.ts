import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const { API = 'http://127.0.0.1:3000' } = process.env

export default defineConfig({
  plugins: [react()],
  server: {
    proxy: {
      '/comet': {
        target: API,
        // While the API restarts, Vite answers 500, and an EventSource never comes back after an error status. So tell
        // it to try again in a second.
        configure: (proxy) =>
          proxy.on('error', (_error, req, res) => {
            if (req.method !== 'GET' || !('headersSent' in res) || res.headersSent) return
            res.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('retry: 1000\n\n')
          }),
      },
    },
  },
})
