import { bare } from './bare.js'
import { comet } from './comet.js'
import { floor } from './floor.js'
import { libraries } from './libraries.js'
import { nchan } from './nchan.js'

/** @param {string} prefix @param {Record<string, import('../types.js').Contender>} group */
const prefixed = (prefix, group) =>
  Object.fromEntries(Object.entries(group).map(([name, contender]) => [`${prefix}-${name}`, contender]))

/** All contenders by name. @type {Record<string, import('../types.js').Contender>} */
export const contenders = {
  ...prefixed('comet', comet),
  ...prefixed('bare', bare),
  ...libraries,
  ...nchan,
  ...floor,
}

/** @param {string} name */
export function contenderOf(name) {
  const contender = contenders[name]
  if (contender === undefined)
    throw new Error(`There is no ${name}, but ${Object.keys(contenders).join(', ')}.`)
  return contender
}
