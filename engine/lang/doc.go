// Package lang is the expression language.
package lang
