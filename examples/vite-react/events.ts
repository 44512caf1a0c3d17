/** The events that the server publishes, by name, each with the type of its data. The page imports them, too. */
export type Events = {
  said: { name: string; text: string }
  came: { name: string }
  went: { name: string }
}
