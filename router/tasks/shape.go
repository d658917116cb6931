package tasks

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// pointerOf and shapeOf tell what is wrong with a document's shape in words of our
// own: the library's change.
func pointerOf(err error) string {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		return string(semantic.JSONPointer)
	case errors.As(err, &syntactic):
		return string(syntactic.JSONPointer)
	}
	return ""
}

func shapeOf(err error) string {
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return "unknown field; a task has group, labels, payload, run or webhook, restart, stop_timeout and health"
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "the field stands twice"
	case errors.As(err, &semantic):
		return "JSON of another kind is wanted here"
	}
	return "this is not JSON"
}
