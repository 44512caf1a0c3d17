/** The events that the server publishes, by name. The server and its pages share this file. */
export type ChatEvents = {
  /** A user wrote a message. */
  chat: ChatMessage
  /** A user entered or left the room. */
  enter: Occurrence
  leave: Occurrence
  /** A user is writing a message. */
  typing: Occurrence
  /** The number of users or messages in a room changed. Goes to everybody. */
  room: Room
}

export interface ChatMessage {
  id: string
  /** The messages of a room are numbered from 1, so that a page can tell how many it has not shown. */
  number: number
  room: string
  name: string
  text: string
  /** Milliseconds since January 1, 1970 UTC. */
  time: number
}

/** A message that has no number yet. */
export type NewMessage = Omit<ChatMessage, 'number'>

export interface Occurrence {
  room: string
  name: string
}

export interface Room {
  room: string
  count: number
  /** Whether the room stays in the list when it is empty. */
  fixed: boolean
  /** The number of the last message. Missing while there is none. */
  last?: number | undefined
}

/** The state of a room, for a page that has entered it. */
export interface RoomView {
  members: string[]
  messages: ChatMessage[]
}

/** A message from a page, as JSON in the `evt` of a SEND packet. */
export type FromPage = { room: string; text: string } | { room: string; typing: true }
