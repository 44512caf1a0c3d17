import type { Delivery } from '../../lib/ports/broker.ts'
import type { Command } from '../../lib/ports/controller.ts'
import { isObject } from '../../lib/util/is-object.ts'
import type { Reply } from './connection.ts'
import { type Place, parseLink } from './position.ts'

/** An entry of a stream as Redis answers it: its id, and its fields and their values by turns. */
export type RawEntry = readonly [id: string, fields: readonly string[]]

/** An event as it stands in an entry: its position is told by its place. */
export type Published = Omit<Delivery, 'position'> & { position?: string; readonly tell?: undefined }

/** A command to all nodes as it stands in an entry. */
export interface Told {
  readonly tell: Command
}

/** A part of an entry. */
export type Item = Published | Told

/** An entry of the order. */
export interface Entry {
  readonly place: Place
  /** The end of the entry before it. */
  readonly previous: Place
  /** The call that wrote it. */
  readonly writer: string
  /** The items as JSON. Empty in a marker, which begins an epoch. */
  readonly data: string
}

/** Reads an entry. Fields that it does not know are of later versions. @returns undefined when it is none of ours */
export function readEntry([id, fields]: RawEntry): Entry | undefined {
  let [epoch, link, writer, data] = ['', '', '', '']
  for (let at = 0; at < fields.length; at += 2) {
    const value = fields[at + 1] ?? ''
    if (fields[at] === 'e') epoch = value
    else if (fields[at] === 'p') link = value
    else if (fields[at] === 'w') writer = value
    else if (fields[at] === 'd') data = value
  }
  const place = parseLink(epoch, `${id}.0`)
  const previous = parseLink(epoch, link)
  if (place === undefined || previous === undefined || epoch === '') return undefined
  return { place, previous, writer, data }
}

/** Reads the items of an entry. @returns undefined when it is damaged */
export function readItems(data: string): Item[] | undefined {
  try {
    const items: unknown = JSON.parse(data)
    return Array.isArray(items) && items.every(isObject) ? (items as Item[]) : undefined
  } catch {
    return undefined
  }
}

/** Tells whether an item is a command to all nodes. */
export function isTold(item: Item): item is Told {
  return isObject(item.tell) && typeof item.tell.type === 'string'
}

/** Tells whether an item is an event. What is neither, such as an item of a later version, has no effect. */
export function isEvent(item: Item): item is Published {
  return item.tell === undefined && isObject(item.to) && typeof item.data === 'string'
}

/** Reads the answer of XREAD: a list of pairs with RESP 2, keys and values by turns with RESP 3, or nothing. */
export function readStreams(reply: Reply): Map<string, readonly RawEntry[]> {
  const streams = new Map<string, readonly RawEntry[]>()
  if (!Array.isArray(reply)) return streams
  const flat: readonly Reply[] = Array.isArray(reply[0]) ? reply.flat() : reply
  for (let at = 0; at < flat.length; at += 2) {
    streams.set(String(flat[at]), flat[at + 1] as unknown as readonly RawEntry[])
  }
  return streams
}
