import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Lobby } from './lobby.tsx'

const name = new URLSearchParams(location.search).get('name') || 'alice'
const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Lobby name={name} />
    </StrictMode>,
  )
}
