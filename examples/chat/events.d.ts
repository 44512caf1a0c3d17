/** What the server publishes, by the name of the event; its pages know it by this file, too. */
export type ChatEvents = {
  /** Somebody wrote something. */
  chat: ChatMessage
  /** Somebody entered or left. */
  enter: Occurrence
  leave: Occurrence
  /** Somebody is writing something. */
  typing: Occurrence
  /** How full a room is now, for everybody. */
  room: Room
}

export interface ChatMessage {
  id: string
  room: string
  name: string
  text: string
  /** Milliseconds since 1970. */
  time: number
}

export interface Occurrence {
  room: string
  name: string
}

export interface Room {
  room: string
  count: number
  /** Stays in the list when nobody is there. */
  fixed: boolean
}

/** What a page gets that has entered a room. */
export interface RoomView {
  members: string[]
  messages: ChatMessage[]
}

/** What a page sends up, as JSON in the `evt` of a SEND packet. */
export type FromPage = { room: string; text: string } | { room: string; typing: true }
